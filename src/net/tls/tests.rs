//! Whom a connector to the controller believes, and what it says of whom it does not.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::clock::Deadline;
use crate::net::Conn;
use crate::sys::poll::{Watch, wait};
use crate::threads::Resident;

/// An authority, made for these tests and used nowhere else.
const CA: &str = "-----BEGIN CERTIFICATE-----
MIIBYTCCAROgAwIBAgIUV/maSTpDY0mbbmlT23aCkiLF7yMwBQYDK2VwMB0xGzAZ
BgNVBAMMEnNwZWNpbWVuIGF1dGhvcml0eTAgFw0yNjExMjAxNzQ1MDFaGA8yMTI2
MTAyNzE3NDUwMVowHTEbMBkGA1UEAwwSc3BlY2ltZW4gYXV0aG9yaXR5MCowBQYD
K2VwAyEAbrugX1IUmKxnqIBeERqMqI/9t52XbB/KLsbPzewzc9yjYzBhMB0GA1Ud
DgQWBBTL9gSGIaYcEqZQgmu0BrjkCC4sYTAfBgNVHSMEGDAWgBTL9gSGIaYcEqZQ
gmu0BrjkCC4sYTAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwICBDAFBgMr
ZXADQQBppSVuwfrW6MZp3C40kq2yj99lgOH73MTn8IwWv2NNBMtX+SWt5QZ6W7Lq
IbIOnMqw6GRb96OTwTv25mskd74E
-----END CERTIFICATE-----
";

/// What it signed for `controller.test` and 127.0.0.1.
const LEAF: &str = "-----BEGIN CERTIFICATE-----
MIIBbTCCAR+gAwIBAgIUZBT+7JmZzWSKWpM30iFP6iaTKoUwBQYDK2VwMB0xGzAZ
BgNVBAMMEnNwZWNpbWVuIGF1dGhvcml0eTAgFw0yNjExMjAxNzQ1MDFaGA8yMTI2
MTAyNzE3NDUwMVowEzERMA8GA1UEAwwIc3BlY2ltZW4wKjAFBgMrZXADIQBW2h3e
+33bFiG/Bcd1Z+MvhwmK4P0nJCaZF3KMk8VKWqN5MHcwIAYDVR0RBBkwF4IPY29u
dHJvbGxlci50ZXN0hwR/AAABMBMGA1UdJQQMMAoGCCsGAQUFBwMBMB0GA1UdDgQW
BBSSoFRsbR4HYiCw3flvPIKkQV35PDAfBgNVHSMEGDAWgBTL9gSGIaYcEqZQgmu0
BrjkCC4sYTAFBgMrZXADQQAliMxAlf7ygdtIAg61w9wf5BIk+INFdpR2fgtet12w
vu5iwlyz4tUdLNiSBoYjKn5z/drqVxBWY7ZF2D0URIMK
-----END CERTIFICATE-----
";

const LEAF_KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIFTYEUlvm9MxbxhyqW01VESfexdi81BxtPCk7fF5v1fU
-----END PRIVATE KEY-----
";

fn file(name: &str, content: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("lookout-net-tls-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// A place that does once with a connection what `serve` says.
fn served(serve: impl FnOnce(std::net::TcpStream) + Send + 'static) -> (SocketAddr, Resident) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Deadline::after_secs(60);
    let resident = Resident::start("served", move || {
        assert!(wait(&mut [Watch::readable(&listener)], patience).unwrap(), "nobody came");
        let socket = listener.accept().unwrap().0;
        socket.set_read_timeout(patience.left()).unwrap();
        serve(socket);
    });
    (address, resident.unwrap())
}

/// What comes of a handshake in which the leaf is shown to who expects `host`.
fn shake(test: &str, connector: &Connector, host: &str) -> io::Result<()> {
    let (cert, key) = (file(&format!("{test}.pem"), LEAF), file(&format!("{test}.key"), LEAF_KEY));
    let (acceptor, _) = Acceptor::load(&cert, &key, Clients::Nobody).unwrap();
    let (address, server) = served(move |socket| {
        let mut conn = Conn::accepted(Arc::new(socket), Some(&acceptor)).unwrap();
        // Whoever does not believe us leaves.
        if conn.handshake(Deadline::after_secs(60)).is_ok() {
            let _ = conn.write_all(b"!", Deadline::after_secs(60));
        }
    });
    let deadline = Deadline::after_secs(60);
    let mut conn = Conn::tcp(address, None, deadline)?;
    let shaken = conn.start_tls(connector, host, deadline);
    drop(conn);
    assert!(server.join());
    shaken
}

#[test]
fn an_authority_that_was_named_is_the_only_one_that_is_believed() {
    let ours = Connector::controller(Some(&file("ca.pem", CA))).unwrap();
    shake("named", &ours, "controller.test").unwrap();
    shake("named", &ours, "127.0.0.1").unwrap();
    let other = shake("named", &ours, "other.test").unwrap_err();
    assert_eq!(trouble(&other), Some(Trouble::Name));
    let others = Connector::controller(Some(&file("other-ca.pem", LEAF))).unwrap();
    let stranger = shake("named", &others, "controller.test").unwrap_err();
    assert_eq!(trouble(&stranger), Some(Trouble::Issuer));
}

#[test]
fn whoever_asks_for_no_proof_talks_to_anybody() {
    shake("anybody", &Connector::unverified().unwrap(), "other.test").unwrap();
}

#[test]
fn an_authority_of_the_system_is_found_among_what_cannot_be_read() {
    let rubbish = "-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n";
    let short = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let mixed = file("mixed.pem", &format!("# Some Root\n{rubbish}{short}{CA}{rubbish}"));
    let empty = file("empty.pem", "");
    let open = file("open.pem", CA);
    fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
    let place = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (mixed, empty, open) = (place(&mixed), place(&empty), place(&open));
    let found = |places: &[&str]| bundle(places).map(|roots| roots.len());
    assert_eq!(found(&["/no/such.pem", &empty, &open, &mixed]).unwrap(), 1);
    assert!(matches!(found(&["/no/such.pem"]), Err(BadTls::NoBundle)));
    assert!(
        matches!(found(&["/no/such.pem", &empty]), Err(BadTls::NoCertificate(path)) if path == Path::new(&empty))
    );
    assert!(matches!(found(&[&open]), Err(BadTls::File(_, BadFile::Writable(0o666)))));
    assert!(BadTls::NoBundle.to_string().contains("CA_CERT"));
    // Somebody chose what is in this one.
    let chosen = Connector::controller(Some(Path::new(&mixed))).err().unwrap();
    assert!(matches!(chosen, BadTls::NoCertificate(_)), "{chosen}");
}

#[test]
fn what_stopped_a_handshake_is_told_apart() {
    let (address, server) = served(|mut socket| {
        use std::io::{Read, Write};
        assert!(socket.read(&mut [0; 1024]).unwrap() > 0);
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let connector = Connector::unverified().unwrap();
    let plain = Conn::tcp(address, Some((&connector, "controller.test")), Deadline::after_secs(60));
    assert_eq!(trouble(&plain.err().unwrap()), Some(Trouble::Plain));
    assert!(server.join());
    for (error, told) in [
        (rustls::CertificateError::UnknownIssuer, Some(Trouble::Issuer)),
        (rustls::CertificateError::BadSignature, Some(Trouble::Issuer)),
        (rustls::CertificateError::Expired, Some(Trouble::Expired)),
        (rustls::CertificateError::NotValidYet, Some(Trouble::NotYetValid)),
        (rustls::CertificateError::NotValidForName, Some(Trouble::Name)),
        (rustls::CertificateError::Revoked, None),
    ] {
        let error = io::Error::new(ErrorKind::InvalidData, rustls::Error::InvalidCertificate(error));
        assert_eq!(trouble(&error), told);
    }
    assert_eq!(trouble(&ErrorKind::ConnectionReset.into()), None);
}
