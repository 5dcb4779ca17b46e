# A formula for a tap of one's own: Lookout from source, for Linux. Fill in VERSION and SHA256 for each release.
# It could not be tried where it was written, as there is no Homebrew there; its Ruby was parsed.
class Lookout < Formula
  HOME = "https://github.com/OWNER/lookout".freeze

  desc "Authenticated, transparent way to a Docker Engine"
  homepage HOME
  url "#{HOME}/archive/refs/tags/vVERSION.tar.gz"
  sha256 "SHA256"
  license "Apache-2.0"
  head "#{HOME}.git", branch: "main"

  depends_on "rust" => :build
  depends_on :linux

  def install
    # Without it, the program calls itself one that leads up to the release.
    ENV["LOOKOUT_RELEASE"] = "1"
    system "cargo", "install", *std_cargo_args
    system "scripts/manual", bin/"lookout", "manual"
    man1.install "manual/lookout.1"
    bash_completion.install "manual/lookout.bash" => "lookout"
    zsh_completion.install "manual/_lookout"
    fish_completion.install "manual/lookout.fish"
  end

  service do
    run [opt_bin/"lookout", "serve"]
    # A token is made by hand, as it must never stand in a formula.
    environment_variables TOKEN_FILE: etc/"lookout/token", BIND_ADDRESS: "127.0.0.1"
    keep_alive crashed: true
    log_path var/"log/lookout.log"
    error_log_path var/"log/lookout.log"
  end

  def caveats
    <<~EOS
      Make a token before it is started:
        mkdir -p #{etc}/lookout
        (umask 077; openssl rand -hex 32 > #{etc}/lookout/token)
    EOS
  end

  test do
    assert_equal "lookout #{version}\n", shell_output("#{bin}/lookout version")
    # Without a credential it does not start, and says so with its own exit code.
    assert_match "no credential is configured", shell_output("#{bin}/lookout config 2>&1", 78)
  end
end
