//! The requests that are measured, as the docker CLI would put them.

/// The credential of the run: every proxy is told to demand it.
pub(crate) const TOKEN: &str = "measured-in-one-run-0123456789abcdef";

fn head(line: &str, token: &str, fields: &str) -> Vec<u8> {
    format!(
        "{line} HTTP/1.1\r\nHost: docker.example\r\nUser-Agent: Docker-Client/20.10.24 (linux)\r\n\
         Authorization: Bearer {token}\r\n{fields}\r\n"
    )
    .into_bytes()
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    head(&format!("GET /v1.41{path}"), TOKEN, "")
}

pub(crate) fn get_as(path: &str, token: &str) -> Vec<u8> {
    head(&format!("GET /v1.41{path}"), token, "")
}

/// A request after which the connection ends.
pub(crate) fn get_and_close(path: &str) -> Vec<u8> {
    head(&format!("GET /v1.41{path}"), TOKEN, "Connection: close\r\n")
}

pub(crate) fn put_with_length(path: &str, length: u64) -> Vec<u8> {
    let fields = format!("Content-Type: application/x-tar\r\nContent-Length: {length}\r\n");
    head(&format!("PUT /v1.41{path}"), TOKEN, &fields)
}

pub(crate) fn put_chunked(path: &str) -> Vec<u8> {
    head(
        &format!("PUT /v1.41{path}"),
        TOKEN,
        "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n",
    )
}

/// What `docker attach` sends.
pub(crate) fn upgrade(path: &str) -> Vec<u8> {
    upgrade_as(path, TOKEN)
}

pub(crate) fn upgrade_as(path: &str, token: &str) -> Vec<u8> {
    let fields = "Content-Length: 0\r\nContent-Type: text/plain\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n";
    head(&format!("POST /v1.41{path}"), token, fields)
}
