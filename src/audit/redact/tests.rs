//! Secrets of each kind, and what stays beside them.

use super::*;

fn redactor() -> Redactor {
    Redactor::new(&["X-Tenant".to_owned(), " ".to_owned()], &["pin_code".to_owned(), "_".to_owned()])
}

fn json(text: &str) -> String {
    redactor().json(text.as_bytes()).unwrap()
}

#[test]
fn headers_that_carry_credentials_are_secret() {
    for name in [
        "Authorization",
        "COOKIE",
        "set-cookie",
        "X-Api-Key",
        "Proxy-Authorization",
        "X-Registry-Auth",
        "X-Registry-Config",
        "X-Lookout-Token",
        "x-lookout-signature",
        "X-Dd-Agent-Secret",
        "X-Portwing-Token",
        "x-tenant",
    ] {
        assert!(redactor().header(name), "{name}");
    }
    for name in ["Host", "User-Agent", "Content-Type", "X-Request-Id", "X-Lookout", ""] {
        assert!(!redactor().header(name), "{name}");
    }
}

#[test]
fn a_header_named_like_a_field_is_secret_and_an_address_in_one_has_its_query_blanked() {
    for (name, value, told) in [
        ("X-Auth-Token", "s1", "***"),
        ("X-Vault-Secret", "s2", "***"),
        ("Referer", "http://x/?password=s3&a=1", "http://x/?password=***&a=1"),
        ("Accept", "text/html;q=0.9", "text/html;q=0.9"),
    ] {
        assert_eq!(redactor().told(name, value), told, "{name}");
    }
}

#[test]
fn named_values_of_a_query_are_blanked_and_the_rest_stays() {
    for (query, told) in [
        ("", ""),
        ("a=1&b=%20x&c", "a=1&b=%20x&c"),
        ("token=s3cret", "token=***"),
        ("all=1&Access_Token=s3cret&x=y", "all=1&Access_Token=***&x=y"),
        ("%74oken=s3cret", "%74oken=***"),
        ("pass%77ord=a=b=c&n=1", "pass%77ord=***&n=1"),
        ("API-KEY=s3cret", "API-KEY=***"),
        ("pinCode=1234&pin=5", "pinCode=***&pin=5"),
        ("token=&apikey", "token=***&apikey"),
        ("buildargs=%7B%22TOKEN%22%3A%22s3cret%22%7D&t=x", "buildargs=%7B%22TOKEN%22:%22***%22%7D&t=x"),
        ("remote=https://u:s3cret@host/r.git", "remote=https://***%40host/r.git"),
        ("changes=ENV+DB_PASSWORD%3Ds3cret", "changes=ENV%20DB_PASSWORD%3D***"),
    ] {
        assert_eq!(redactor().query(query), told);
    }
}

#[test]
fn named_members_are_blanked_however_deep() {
    for (text, told) in [
        (r#"{"password":"s3cret","user":"u"}"#, r#"{"password":"***","user":"u"}"#),
        (r#"{"a":[{"b":{"IdentityToken":"s3cret"}}]}"#, r#"{"a":[{"b":{"IdentityToken":"***"}}]}"#),
        (r#"{"Secret":{"x":["s3cret"]},"n":1}"#, r#"{"Secret":"***","n":1}"#),
        (r#"{"token":12345}"#, r#"{"token":"***"}"#),
        (r#"{"token":"","secret":null,"apiKey":[]}"#, r#"{"apiKey":[],"secret":null,"token":""}"#),
        (r#"{"Authorization":"Basic s3cret"}"#, r#"{"Authorization":"***"}"#),
        (r#"[{"Name":"DB_PASSWORD","Value":"s3cret"}]"#, r#"[{"Name":"DB_PASSWORD","Value":"***"}]"#),
        (r#"{"name":"web","value":"v"}"#, r#"{"name":"web","value":"v"}"#),
        (r#""{\"token\":\"s3cret\"}""#, r#""{\"token\":\"***\"}""#),
        (r#"{"pin_code":"1"}"#, r#"{"pin_code":"***"}"#),
        ("null", "null"),
    ] {
        assert_eq!(json(text), told);
    }
}

#[test]
fn variables_of_an_environment_keep_their_name() {
    assert_eq!(
        json(
            r#"{"Env":["DB_PASSWORD=s3 cret","API_KEY=s3cret","GITHUB_TOKEN=s","CLIENT_SECRET=a=b","PGPASSWORD=x","PATH=/bin","EMPTY","LANG=C"]}"#
        ),
        r#"{"Env":["DB_PASSWORD=***","API_KEY=***","GITHUB_TOKEN=***","CLIENT_SECRET=***","PGPASSWORD=***","PATH=/bin","EMPTY","LANG=C"]}"#
    );
    assert_eq!(
        json(r#"{"Env":["DATABASE_URL=postgres://u:s3cret@db/x"]}"#),
        r#"{"Env":["DATABASE_URL=postgres://***@db/x"]}"#
    );
}

#[test]
fn arguments_of_a_command_are_blanked_where_they_are_named() {
    for (text, told) in [
        (r#"["mysql","--password=s3cret","-h","db"]"#, r#"["mysql","--password=***","-h","db"]"#),
        (r#"["mysql","--password","s3cret","-h","db"]"#, r#"["mysql","--password","***","-h","db"]"#),
        (r#"["x","--use-token","-v","on"]"#, r#"["x","--use-token","-v","on"]"#),
        (r#"["run","A=1 TOKEN=s3cret run --quiet"]"#, r#"["run","A=1 TOKEN=*** run --quiet"]"#),
        (r#"["run","login --password 's3 cret' -u x"]"#, r#"["run","login --password *** -u x"]"#),
        (
            r#"["run","curl -H 'Authorization: Bearer s3cret' http://h/?api_key=s3cret&n=1"]"#,
            r#"["run","curl -H 'Authorization: ***' http://h/?api_key=***&n=1"]"#,
        ),
        (r#"["run","curl http://u:s3cret@h/x"]"#, r#"["run","curl http://***@h/x"]"#),
        (
            r#"["ls","-la","/a=b","c: d","http://h:80/x@y"]"#,
            r#"["ls","-la","/a=b","c: d","http://h:80/x@y"]"#,
        ),
    ] {
        assert_eq!(json(text), told);
    }
}

#[test]
fn what_is_no_json_or_too_much_is_not_told() {
    for bytes in [&b""[..], b"{", b"token=s3cret", b"\xff", b"{}{}"] {
        assert_eq!(redactor().json(bytes), None);
    }
    let long = format!("\"{}\"", "x".repeat(AUDIT_DETAIL_BYTES_MAX));
    assert_eq!(redactor().json(long.as_bytes()), None);
    let deep = format!("{}\"s3cret\"{}", "[".repeat(AUDIT_JSON_DEPTH_MAX), "]".repeat(AUDIT_JSON_DEPTH_MAX));
    assert!(json(&deep).contains("***") && !json(&deep).contains("s3cret"));
    assert_eq!(redactor().json("[".repeat(10_000).as_bytes()), None);
}

#[test]
fn any_text_is_looked_at_without_harm() {
    let pieces =
        ["token", "=", ":", " ", "\"", "'", "é", "--password", "://", "@", "&", "{", "\u{202e}", "x"];
    let mut seed = 1_u64;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(pieces[usize::try_from(seed >> 33).unwrap() % pieces.len()]);
        }
        let told = redactor().query(&text);
        assert!(redactor().text(&text).is_none_or(|told| told.contains(BLANK)), "{text}: {told}");
    }
}
