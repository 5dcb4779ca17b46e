//! What of a compose file is refused at first sight, and what only looks like it.

use super::*;

fn remote(address: &str) -> Result<(), Invalid> {
    Err(Invalid::Remote(address.to_owned()))
}

#[test]
fn an_include_of_something_elsewhere_is_refused_however_it_is_written() {
    for text in [
        "include:\n  - oci://x\n",
        "include:\n- oci://x\n",
        "include: [oci://x]\n",
        "include: ['oci://x']\n",
        "include: [\"./a.yaml\", \"oci://x\"]\n",
        "include:\n  - a.yaml\n  - path: oci://x\n",
        "include:\n  - path:\n      - a.yaml\n      - oci://x\n",
        "include:\n  - path: [a.yaml, oci://x]\n",
        "include:\n  - {path: \"oci://x\", project_directory: .}\n",
        "include:\n  - project_directory: oci://x\n    path: a.yaml\n",
        "include:\n  # remark\n\n  - \"oci://x\" # remark\n",
        "include: # remark\n  -   oci://x\n",
        "include :\n  - oci://x",
        "\"include\":\n  - oci://x",
        "'include': ['oci://x']",
        "services: {}\ninclude:\n  - oci://x\n",
        "services:\n  a:\n    image: x\n---\ninclude:\n  - oci://x\n",
        "--- {include: [oci://x]}\n",
        "---\ninclude: [oci://x]\n",
        "%YAML 1.2\n---\ninclude: [oci://x]\n",
        "\u{feff}include: [oci://x]\n",
        "include: &all\n  - &one oci://x\n",
        "include: !reset\n  - !!str oci://x\n",
        "{\"include\":[\"oci://x\"]}",
        "{\"services\":{},\"include\":[{\"path\":[\"a\",\"oci:\\/\\/x\"]}]}",
        "{\n  include: [\n    a.yaml,\n    oci://x\n  ]\n}\n",
        "include:\r\n  - oci://x\r\n",
        "services:\n  a:\n    command: |\n      text\ninclude:\n- oci://x\n",
        "x: >-\n\n  text\n\ninclude:\n- |\n  text\n- oci://x\n",
        "include:\n  - path: |\n      a\n    env_file: b\n  - oci://x\n",
        "include:\n  - |\n    a\n  - oci://x\n",
        "include:\n- path: a\n- |\n  'tis text\n- oci://x\n",
        "services:\n  a: {}\n--- {include: [oci://x]}\n",
    ] {
        assert_eq!(look(text), remote("oci://x"), "{text}");
    }
}

#[test]
fn everything_that_is_fetched_is_elsewhere() {
    for address in [
        "oci://docker.io/x/y:1",
        "OCI://x",
        "git://host/x",
        "ssh://git@host/x",
        "git+ssh://host/x",
        "http://host/compose.yaml",
        "https://host/compose.yaml",
        "https://github.com/x/y.git#main:dir",
        "git@github.com:x/y.git",
        "GitHub.com/x/y",
        "ftp://host/x",
        "file:///etc/compose.yaml",
    ] {
        assert_eq!(look(&format!("include:\n  - {address}\n")), remote(address));
        let extended = format!("services:\n  a:\n    extends:\n      file: '{address}'\n      service: b\n");
        assert_eq!(look(&extended), remote(address));
    }
    for local in
        ["compose.yaml", "./a/b.yaml", "a:b", "dir/git@x", "github.com.yaml", "${X}://y", "://x", "a b://c"]
    {
        assert_eq!(look(&format!("include:\n  - {local}\n")), Ok(()), "{local}");
    }
}

#[test]
fn an_extends_of_something_elsewhere_is_refused() {
    for text in [
        "services:\n  a:\n    extends: {file: \"oci://x\", service: b}\n",
        "services:\n  a:\n    extends:\n      service: b\n      file: oci://x\n",
        "services:\n a:\n  extends:\n   file:\n    oci://x\n",
        "services: {a: {extends: {file: oci://x}}}",
        "{\"services\":{\"a\":{\"image\":\"x\",\"extends\":{\"service\":\"b\",\"file\":\"oci://x\"}}}}",
        "services:\n  a: {image: x}\n  b:\n    environment:\n    - A=b\n    extends:\n      file: oci://x\n",
    ] {
        assert_eq!(look(text), remote("oci://x"), "{text}");
    }
}

#[test]
fn a_service_with_a_provider_is_refused() {
    for text in [
        "services:\n  db:\n    provider:\n      type: awesomecloud\n",
        "services:\n  db:\n    provider: {type: x}\n",
        "services:\n  db: {provider: {type: x}}\n",
        "{\"services\":{\"db\":{\"provider\":{\"type\":\"x\"}}}}",
        "services:\n  web:\n    image: x\n  db:\n    \"provider\":\n      type: x\n",
    ] {
        assert_eq!(look(text), Err(Invalid::Provider("db".into())), "{text}");
    }
}

#[test]
fn addresses_elsewhere_in_the_file_are_nobodys_business() {
    let text = r#"
# include: oci://x
name: web
services:
  web:
    image: "ghcr.io/x/y:1" # include: [oci://x]
    build:
      context: https://github.com/x/y.git#main
      args:
        include: https://host/x
        file: https://host/x
        provider: https://host/x
    environment:
      - URL=https://host/path
      - https://host/odd
      - provider: x
    labels:
      include: https://host/x
      extends: https://host/x
      path: https://host/x
      com.example.url: 'https://host/#x'
    command: ["curl", "-f", "https://host/x", "include: [oci://x]"]
    healthcheck: {test: [CMD, curl, "https://localhost:8443/x"]}
    extends: {file: ./base.yaml, service: base}
    entrypoint: |
      include:
        - oci://x
      services:
        a:
          provider: x
    dns:
    - 1.1.1.1
  provider:
    image: x
  extends:
    image: https://no-image-but-no-matter
  other:
    extends:
      service: provider
    environment: {file: "https://host/x", provider: x}
include:
  - ./other.yaml
  - path: [a.yaml, b.yaml]
    env_file: .env
configs:
  provider:
    content: >
      include: https://host/x
  file:
    file: ./nginx.conf
x-include:
  - oci://x
x-services:
  db:
    provider: x
"#;
    assert_eq!(look(text), Ok(()));
}

#[test]
fn a_quote_that_is_doubled_ends_nothing() {
    let text = "services:\n  'it''s':\n    provider: {type: x}\n";
    assert_eq!(look(text), Err(Invalid::Provider("it's".into())));
}

#[test]
fn text_after_a_sign_of_text_ends_where_the_file_goes_on() {
    let text = "services:\n  a:\n    command:\n      - |\n        provider: x\n      - two\n    provider: {type: x}\n";
    assert_eq!(look(text), Err(Invalid::Provider("a".into())));
    assert_eq!(look("services:\n  a:\n    command: >+2\n      provider: x\n\n\n"), Ok(()));
}

#[test]
fn anything_can_be_looked_at_and_the_look_ends() {
    for text in [
        "",
        "\n\n",
        ":",
        "-",
        "- - - -",
        "? a\n: b",
        "\"open",
        "'open\n include: [oci://x]",
        "[[[[",
        "]]]]",
        "}{",
        "{a: b,, c}",
        "|",
        "a: |",
        "&",
        "! ",
        "a: 'it''s' b",
        "\"a\\",
        "\t\tx: y",
        "\u{85}\u{2028}",
        "é: ☃\n😀:\n- 😀",
        "--- - a",
        "...",
        "%",
    ] {
        assert_eq!(look(text), Ok(()), "{text:?}");
    }
    for part in
        ["a: ", "- ", "[", "{a: ", "'", "\"", "&a ", "|\n", "a:\n ", "😀", "# ", "---\n", ",", "}", "\\"]
    {
        assert_eq!(look(&part.repeat(100_000)), Ok(()), "{part:?}");
    }
    let deep: String = (0..3000).map(|indent| format!("{}a:\n", " ".repeat(indent))).collect();
    assert_eq!(look(&deep), Ok(()));
}
