#!/usr/bin/env bash
# Installs a release of Lookout after checking its checksum and its signature, or removes what it installed.
set -euo pipefail
# What is installed is for everybody, whatever the caller keeps to itself.
umask 022

home=https://github.com/OWNER/lookout
# Who may have signed: that repository's release workflow, run for the version's own tag, as GitHub then vouched for.
workflow=$home/.github/workflows/release.yml
issuer=https://token.actions.githubusercontent.com
download_bytes_max=67108864

usage() {
  cat <<END
usage: install.sh [VERSION] [--url URL | --dir DIR] [--key FILE] [--no-signature] [--prefix DIR] [--root DIR]
       install.sh --uninstall [--purge] [--prefix DIR] [--root DIR]

Installs lookout VERSION, the latest unless given, from $home/releases: the program, its manual and
completions, a service for systemd or OpenRC, and /etc/lookout/config where there is none. Nothing is started.
Files are taken only where the archive's checksum stands in checksums.txt and cosign finds that file signed by the
project's release workflow. Running it again changes only what differs.

  --url URL        take the release's files from URL/v VERSION/ (a mirror laid out like the project's releases)
  --dir DIR        take them from a directory of this machine, without any network
  --key FILE       checksums.txt was signed by the owner of this public key, and not by the project
  --no-signature   install what nobody vouched for; the checksum is compared all the same
  --prefix DIR     where the program goes, below it bin and share; /usr/local unless given
  --root DIR       everything goes below DIR, as for the image of another machine
  --uninstall      remove what was installed; keeps /etc/lookout and /var/lib/lookout
  --purge          with --uninstall: remove those too. Stacks are never removed

Exit codes: 0 done; 64 the arguments are not understood; 65 not as it was signed; 69 something is missing here;
70 something broke; 77 only root may do this.
END
}
say() { echo "install: $*"; }
die() { echo "install: $1" >&2; exit "${2:-70}"; }

version='' url="$home/releases/download" from='' key='' signature=required prefix=/usr/local root='' does=install purge=no
while [ $# -gt 0 ]; do
  case "$1" in
    --url | --dir | --key | --prefix | --root) [ -n "${2-}" ] || die "$1 lacks its value (see --help)" 64 ;;&
    --url) url=${2%/}; shift ;;
    --dir) from=$2; shift ;;
    --key) key=$2; shift ;;
    --prefix) prefix=${2%/}; shift ;;
    --root) root=${2%/}; shift ;;
    --no-signature) signature=waived ;;
    --uninstall) does=uninstall ;;
    --purge) purge=yes ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown argument '$1' (see --help)" 64 ;;
    *) [ -z "$version" ] || die "unknown argument '$1' (see --help)" 64; version=${1#v} ;;
  esac
  shift
done
[ "$purge" = no ] || [ "$does" = uninstall ] || die '--purge goes with --uninstall' 64
case "$prefix" in /*) ;; *) die "--prefix must begin with /: '$prefix'" 64 ;; esac
[[ "$prefix" =~ ^/[A-Za-z0-9/._-]*$ ]] || die "--prefix '$prefix' is no place to install to; name one with letters, digits, / . _ -" 64
[ -z "$version" ] || [[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] ||
  die "'$version' is no version; write it as 1.2.3" 64

unit="$root/etc/systemd/system/lookout.service"
service="$root/etc/init.d/lookout"
# What is installed, and where; checked before anything is removed, too.
files=("$root$prefix/bin/lookout" "$root$prefix/share/man/man1/lookout.1"
  "$root$prefix/share/bash-completion/completions/lookout" "$root$prefix/share/zsh/site-functions/_lookout"
  "$root$prefix/share/fish/vendor_completions.d/lookout.fish" "$unit" "$service")
has_systemd() { [ -d "$root/run/systemd/system" ] || [ -d "$root/usr/lib/systemd/system" ] || [ -d "$root/lib/systemd/system" ]; }
has_openrc() { [ -e "$root/sbin/openrc-run" ] || [ -e "$root/usr/sbin/openrc-run" ]; }
# Whether the system that would be told is this very one, and runs.
is_booted() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

if [ "$does" = uninstall ]; then
  if is_booted && [ -e "$unit" ]; then
    systemctl stop lookout.service
    systemctl --quiet disable lookout.service
  elif [ -z "$root" ] && [ -e "$service" ] && command -v rc-service >/dev/null; then
    rc-service --ifstarted lookout stop
  fi
  gone=0
  for file in "${files[@]}"; do
    [ -e "$file" ] || continue
    rm -f "$file" || die "$file cannot be removed" 77
    gone=$((gone + 1))
  done
  # Directories that only we put something into.
  for dir in man/man1 bash-completion/completions bash-completion zsh/site-functions zsh fish/vendor_completions.d fish; do
    [ ! -d "$root$prefix/share/$dir" ] || rmdir --ignore-fail-on-non-empty "$root$prefix/share/$dir"
  done
  rm -f "$root/etc/systemd/system/multi-user.target.wants/lookout.service" "$root"/etc/runlevels/*/lookout
  if is_booted; then systemctl daemon-reload; fi
  if [ "$purge" = yes ]; then
    rm -rf "$root/etc/lookout" "$root/etc/systemd/system/lookout.service.d" "$root/var/lib/lookout" \
      "$root/var/lib/private/lookout" "$root/var/log/lookout.log"
  fi
  say "removed $gone files$([ "$purge" = yes ] || echo '; /etc/lookout and /var/lib/lookout are kept (--purge)')"
  exit 0
fi

case "$(uname -s)" in
  Linux) ;;
  *) die "there is no release for $(uname -s); docs/install.md says how to build one" 69 ;;
esac
case "$(uname -m)" in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  armv7l | armv8l) arch=armv7 ;;
  riscv64) arch=riscv64 ;;
  *) die "there is no release for a $(uname -m)" 69 ;;
esac
for tool in tar gzip sha256sum install cmp; do
  command -v "$tool" >/dev/null || die "there is no $tool here, and it is needed" 69
done
if [ "$signature" = required ] && ! command -v cosign >/dev/null; then
  die "cosign is not here, so nobody can tell who made the release: install it, or say --no-signature" 69
fi
[ -z "$key" ] || [ -f "$key" ] || die "there is no key $key" 69

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fetch() { # fetch NAME
  if [ -n "$from" ]; then
    [ -f "$from/$1" ] || die "$from holds no $1" 69
    cp "$from/$1" "$work/$1"
  else
    curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --max-filesize "$download_bytes_max" \
      --retry 3 --max-time 300 --output "$work/$1" "$url/v$version/$1" || die "$url/v$version/$1 cannot be fetched" 69
  fi
}
is_named=yes
[ -n "$version" ] || is_named=no
if [ -z "$from" ]; then
  command -v curl >/dev/null || die 'there is no curl here: install it, or give the files with --dir' 69
  if [ -z "$version" ]; then
    # Where the page of the latest release leads to ends with its tag.
    latest=$(curl --fail --silent --show-error --head --location --proto '=https' --max-time 60 --output /dev/null \
      --write-out '%{url_effective}' "${url%/download}/latest") || die "the latest release cannot be asked for: name one" 69
    version=${latest##*/v}
  fi
elif [ -z "$version" ]; then
  found=("$from"/lookout_*_linux_"$arch".tar.gz)
  [ "${#found[@]}" = 1 ] && [ -f "${found[0]}" ] || die "$from holds no single release for linux $arch: name the version" 69
  version=${found[0]##*/lookout_}
  version=${version%_linux_*}
fi
[[ "$version" =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || die "'$version' is no version; name one, as in 1.2.3" 69
archive="lookout_${version}_linux_$arch.tar.gz"

fetch checksums.txt
if [ "$signature" = required ]; then
  fetch checksums.txt.bundle
  if [ -n "$key" ]; then
    # Such a signature need not be in the public log: whoever gave the key answers for it.
    who=(--key "$key" --insecure-ignore-tlog=true)
  else
    who=(--certificate-identity "$workflow@refs/tags/v$version" --certificate-oidc-issuer "$issuer")
  fi
  cosign verify-blob --bundle "$work/checksums.txt.bundle" "${who[@]}" "$work/checksums.txt" >"$work/cosign" 2>&1 || {
    cat "$work/cosign" >&2
    die 'nothing shows that checksums.txt is signed by who should have; nothing was installed' 65
  }
  say "checksums.txt is signed by ${key:-the release workflow of $home}"
else
  say 'NOTE: the signature is not checked, as --no-signature says'
fi
fetch "$archive"
# One line of that very name, and no other form of line that sha256sum would take for one.
wanted=$(awk -v name="$archive" '$2 == name && NF == 2 && $1 ~ /^[0-9a-f]+$/ && length($1) == 64 { print $1 }' "$work/checksums.txt")
[ "$(wc -w <<<"$wanted")" = 1 ] || die "checksums.txt does not name $archive once; nothing was installed" 65
is=$(sha256sum "$work/$archive" | cut -d' ' -f1)
[ "$is" = "$wanted" ] || die "$archive is not what was signed: its checksum is $is, not $wanted; nothing was installed" 65
say "$archive has the checksum that stands in checksums.txt"

mkdir "$work/unpacked"
tar -xzf "$work/$archive" -C "$work/unpacked" --no-same-owner --no-same-permissions
unpacked="$work/unpacked"
[ -f "$unpacked/lookout" ] && [ ! -L "$unpacked/lookout" ] || die "$archive holds no program" 65
# Who names no version wants a newer one: an old one, however well signed, is what somebody else wants.
if [ "$is_named" = no ] && [ -x "${files[0]}" ] && there=$("${files[0]}" version 2>/dev/null) && there=${there#lookout } &&
  [ "$there" != "$version" ] && [ "$(printf '%s\n' "$there" "$version" | sort -V | tail -n 1)" = "$there" ]; then
  die "$there is installed, which is newer than $version; name the version to go back" 65
fi
if [ -z "$root" ]; then
  chmod 0755 "$unpacked/lookout"
  told=$("$unpacked/lookout" version) || die "the program does not run here; where $work may not execute anything, name another place in TMPDIR" 70
  [ "$told" = "lookout $version" ] || die "the program says it is '$told', and not $version" 65
fi

# All of it, before anything is changed.
wants=''
if has_systemd; then wants=systemd/lookout.service; elif has_openrc; then wants=openrc/lookout; fi
[ -z "$wants" ] || [ -f "$unpacked/$wants" ] || die "$archive holds no $wants; nothing was installed" 65

changed=0
put() { # put MODE FROM TO: leaves alone what is there already
  [ -f "$2" ] || return 0
  if cmp -s "$2" "$3" && [ "$(stat -c %a "$3")" = "${1#0}" ]; then return 0; fi
  mkdir -p "${3%/*}"
  # Under another name first: a running program cannot be written to, and none is ever half there.
  install -m "$1" "$2" "$3.new" || die "$3 cannot be written" 77
  mv -f "$3.new" "$3"
  changed=$((changed + 1))
}
put 0755 "$unpacked/lookout" "${files[0]}"
put 0644 "$unpacked/manual/lookout.1" "${files[1]}"
put 0644 "$unpacked/manual/lookout.bash" "${files[2]}"
put 0644 "$unpacked/manual/_lookout" "${files[3]}"
put 0644 "$unpacked/manual/lookout.fish" "${files[4]}"
if has_systemd; then
  sed "s|/usr/bin/lookout|$prefix/bin/lookout|g" "$unpacked/systemd/lookout.service" >"$work/unit"
  put 0644 "$work/unit" "$unit"
elif has_openrc; then
  sed "s|/usr/bin/lookout|$prefix/bin/lookout|g" "$unpacked/openrc/lookout" >"$work/service"
  put 0755 "$work/service" "$service"
fi
mkdir -p "$root/etc/lookout"
[ -d "$root/etc/lookout/secrets" ] || mkdir -m 0700 "$root/etc/lookout/secrets"
if ! [ -e "$root/etc/lookout/config" ]; then
  echo 'BIND_ADDRESS=127.0.0.1' >"$work/config"
  [ ! -f "$unpacked/systemd/config" ] || cp "$unpacked/systemd/config" "$work/config"
  put 0640 "$work/config" "$root/etc/lookout/config"
fi

if is_booted && [ "$changed" != 0 ]; then
  systemctl daemon-reload
  # Only where it ran already, as in an upgrade.
  systemctl try-restart lookout.service || say 'it did not start again; see systemctl status lookout'
fi
if [ "$changed" = 0 ]; then
  say "lookout $version is installed already; nothing was changed"
else
  say "lookout $version is installed, $changed files written. Give it a credential, as /etc/lookout/config says;"
  say 'then: systemctl enable --now lookout (OpenRC: rc-update add lookout; rc-service lookout start)'
fi
