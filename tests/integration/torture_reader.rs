//! What an Engine received, read more strictly than any Engine does, and by nothing the agent is made of.

/// A request that came whole, or the one that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Everything on one connection.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) whole: Vec<Asked>,
    /// A head whose body is not all there.
    pub(crate) cut: Option<Asked>,
    /// Bytes that are in nobody's body and no request of ours, and what is wrong with them.
    pub(crate) fault: Option<(String, Vec<u8>)>,
    /// Bytes that make up the whole ones.
    pub(crate) used: usize,
}

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
/// Fields that speak of the client's connection, or are the client's secrets.
const STAYS: &[&str] = &[
    "authorization",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "trailer",
    "expect",
    "origin",
    "x-lookout-token",
    "x-dd-agent-secret",
];

type Fault = String;

/// A head, without its empty line, as one of ours would have it.
fn head(text: &[u8]) -> Result<Asked, Fault> {
    // Bytes beyond ASCII may stand in a value; each is a character here.
    let text: String = text.iter().map(|byte| char::from(*byte)).collect();
    if text.replace("\r\n", "").chars().any(|c| c.is_ascii_control() && c != '\t') {
        return Err("a control character in a head".to_owned());
    }
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    request_line(&line)?;
    let mut fields = Vec::new();
    for field in lines {
        let (name, value) = field.split_once(": ").ok_or_else(|| format!("no field: {field:?}"))?;
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("no name of a field: {name:?}"));
        }
        let name = name.to_ascii_lowercase();
        if STAYS.contains(&name.as_str()) {
            return Err(format!("{name} was passed on"));
        }
        fields.push((name, value.to_owned()));
    }
    let asked = Asked { line, fields, body: Vec::new() };
    match asked.values("host").as_slice() {
        ["docker"] => {}
        other => return Err(format!("hosts: {other:?}")),
    }
    let upgrades = asked.values("upgrade").len();
    match asked.values("connection").as_slice() {
        [] if upgrades == 0 => Ok(asked),
        ["Upgrade"] if upgrades == 1 => Ok(asked),
        other => Err(format!("connection: {other:?} beside {upgrades} upgrades")),
    }
}

fn request_line(line: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts.as_slice() else { return Err(format!("no request: {line:?}")) };
    if !METHODS.contains(method) {
        return Err(format!("no method: {method:?}"));
    }
    let path = target.split('?').next().unwrap_or_default();
    let is_plain = target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    // Read as loosely as the loosest Engine: whatever is a dot or a slash to somebody.
    let loose = path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/");
    let steps = loose.trim_start_matches('/').trim_end_matches('/');
    let walks = loose.starts_with("//") || steps.split('/').any(|step| [".", ".."].contains(&step));
    match is_plain && !walks && (steps.is_empty() || !steps.contains("//")) {
        true => Ok(()),
        false => Err(format!("no plain target: {target:?}")),
    }
}

impl Asked {
    fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Its line without the version and, in short, its body: the way tables tell it.
    pub(crate) fn brief(&self) -> String {
        let line = self.line.trim_end_matches(" HTTP/1.1");
        match String::from_utf8_lossy(&self.body) {
            body if body.is_empty() => line.to_owned(),
            body if body.len() <= 40 => format!("{line} {body}"),
            body => format!("{line} #{}", body.len()),
        }
    }

    /// Takes its body off the front: how long that was, or nothing where it is not all there.
    fn take_body(&mut self, rest: &[u8]) -> Result<Option<usize>, Fault> {
        let (lengths, codings) = (self.values("content-length"), self.values("transfer-encoding"));
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => Ok(Some(0)),
            ([digits], []) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                let length: usize = digits.parse().map_err(|_| format!("a length of {digits}"))?;
                if length.to_string() != *digits || length > isize::MAX.unsigned_abs() {
                    return Err(format!("a length spelt {digits}"));
                }
                self.body = rest[..rest.len().min(length)].to_vec();
                Ok((rest.len() >= length).then_some(length))
            }
            ([], ["chunked"]) => self.take_chunks(rest),
            other => Err(format!("framings: {other:?}")),
        }
    }

    /// Chunks as the agent writes them: small hexadecimal digits, no zero in front, no extension, no trailer.
    fn take_chunks(&mut self, rest: &[u8]) -> Result<Option<usize>, Fault> {
        let mut at = 0;
        loop {
            let Some(end) = rest[at..].windows(2).position(|two| two == b"\r\n") else {
                let is_size =
                    rest.len() - at < 18 && rest[at..].iter().all(|b| b.is_ascii_graphic() || *b == b'\r');
                return if is_size { Ok(None) } else { Err("a size line without an end".to_owned()) };
            };
            let digits = String::from_utf8_lossy(&rest[at..at + end]).into_owned();
            let size = usize::from_str_radix(&digits, 16).map_err(|_| format!("a size of {digits:?}"))?;
            if format!("{size:x}") != digits {
                return Err(format!("a size spelt {digits:?}"));
            }
            let data = at + end + 2;
            let have = rest.len().saturating_sub(data);
            self.body.extend_from_slice(&rest[data..data + size.min(have)]);
            if have < size + 2 {
                return Ok(None);
            }
            if rest[data + size..data + size + 2] != *b"\r\n" {
                return Err(format!("no end after {size} bytes"));
            }
            at = data + size + 2;
            if size == 0 {
                return Ok(Some(at));
            }
        }
    }
}

/// Reads a connection from its beginning.
pub(crate) fn read(bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    while reading.used < bytes.len() {
        let rest = &bytes[reading.used..];
        let fault = |why: Fault| Some((why, rest.to_vec()));
        let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
            reading.fault = fault("a head that is not whole".to_owned());
            return reading;
        };
        let mut asked = match head(&rest[..end]) {
            Ok(asked) => asked,
            Err(why) => {
                reading.fault = fault(why);
                return reading;
            }
        };
        match asked.take_body(&rest[end + 4..]) {
            Ok(Some(length)) => {
                reading.used += end + 4 + length;
                reading.whole.push(asked);
            }
            Ok(None) => {
                reading.cut = Some(asked);
                return reading;
            }
            Err(why) => {
                reading.fault = fault(why);
                return reading;
            }
        }
    }
    reading
}

#[test]
fn what_the_agent_writes_is_read() {
    let bytes = b"GET /a HTTP/1.1\r\nHost: docker\r\nX-A: b\r\n\r\n\
        POST /b HTTP/1.1\r\nHost: docker\r\nContent-Length: 5\r\n\r\nhello\
        POST /c HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n\
        PUT /d HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    let reading = read(bytes);
    let briefs: Vec<_> = reading.whole.iter().map(Asked::brief).collect();
    assert_eq!(briefs, ["GET /a", "POST /b hello", "POST /c helloabcdefghijklmnopqrstuvwxyz"]);
    assert_eq!(reading.cut.map(|cut| cut.brief()).as_deref(), Some("PUT /d hel"));
    assert_eq!(reading.fault, None);
}

#[test]
fn what_no_agent_should_write_is_a_fault() {
    let body = |fields: &str, body: &str| format!("POST /a HTTP/1.1\r\nHost: docker\r\n{fields}\r\n{body}");
    let line = |line: &str| format!("{line}\r\nHost: docker\r\n\r\n");
    for bytes in [
        line("GET /a HTTP/1.0"),
        line("get /a HTTP/1.1"),
        line("GET  /a HTTP/1.1"),
        line("GET http://x/a HTTP/1.1"),
        line("GET /a/../b HTTP/1.1"),
        line("GET /a/%2e%2E/b HTTP/1.1"),
        line("GET /a%2f..%2Fb HTTP/1.1"),
        line("GET //a HTTP/1.1"),
        line("GET /a#b HTTP/1.1"),
        line("GET /a\tb HTTP/1.1"),
        "GET /a HTTP/1.1\r\n\r\n".to_owned(),
        "GET /a HTTP/1.1\nHost: docker\n\n".to_owned(),
        body("Host: docker\r\n", ""),
        body("X-A : b\r\n", ""),
        body("X-A: b\r\n c\r\n", ""),
        body("X-A: b\rX-C: d\r\n", ""),
        body("X-A: b\0\r\n", ""),
        body("Authorization: Bearer a\r\n", ""),
        body("Connection: keep-alive\r\n", ""),
        body("Connection: Upgrade\r\n", ""),
        body("Content-Length: +5\r\n", "hello"),
        body("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        body("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: identity\r\n", ""),
        body("Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked\r\n", "05\r\nhello\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked\r\n", "5\r\nhelloX\r\n0\r\n\r\n"),
        body("Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n"),
        body("Transfer-Encoding: chunked\r\n", "0\r\nTrailer: a\r\n\r\n"),
        body("", "left over"),
    ] {
        assert!(read(bytes.as_bytes()).fault.is_some(), "{bytes:?}");
    }
}
