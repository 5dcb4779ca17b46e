//! A certificate and its key, made for tests and used nowhere else.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const CERT: &str = "-----BEGIN CERTIFICATE-----
MIIBPDCB76ADAgECAhRC39XHp4SibM5THO2PO+qUwP81aTAFBgMrZXAwEzERMA8G
A1UEAwwIc3BlY2ltZW4wIBcNMjYxMTIwMTIwNjQ1WhgPMjEyNjEwMjcxMjA2NDVa
MBMxETAPBgNVBAMMCHNwZWNpbWVuMCowBQYDK2VwAyEAzdt7b8UU6eQDPJfghtZO
h37bVWBFVZHB0qwIAoMN+gejUzBRMB0GA1UdDgQWBBQchFCwcKk5dj5PlgFbrPt4
jfSA8DAfBgNVHSMEGDAWgBQchFCwcKk5dj5PlgFbrPt4jfSA8DAPBgNVHRMBAf8E
BTADAQH/MAUGAytlcANBANkveIwiU21cBgoRM023dLDqItPx3NvIkcdIz97YHW5F
QRPb/fEICPVvB/q53C6z7nUDvrXfQ0nGaOV2iqfcpwI=
-----END CERTIFICATE-----
";

const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIM2gELjcIv6Xhj1ZH4hJWWJa2wNHl9TC2x6DVvfo9eRf
-----END PRIVATE KEY-----
";

/// A file of a test's own directory.
pub(crate) fn file(test: &str, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("lookout-{test}-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

/// The certificate and the key as files.
pub(crate) fn pair(test: &str) -> (PathBuf, PathBuf) {
    (file(test, "cert.pem", CERT, 0o644), file(test, "key.pem", KEY, 0o600))
}
