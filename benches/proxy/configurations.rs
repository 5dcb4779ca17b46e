//! The configurations of the peers: as much work for each as for Lookout, and no hindrance.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;

use crate::requests::TOKEN;

/// Threads or workers of each peer: as many as the machine of the published figures has cores.
const WORKERS: usize = 2;
/// More connections than any measurement opens.
pub(crate) const CONNECTIONS_MAX: usize = 4096;

/// One certificate for every peer that speaks TLS, and a client that trusts it.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy wants them.
    pub(crate) both: PathBuf,
    pub(crate) client: Arc<ClientConfig>,
}

impl Certificate {
    /// What Lookout is told of it.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 2] {
        [("TLS_CERT", &self.chain), ("TLS_KEY", &self.key)]
    }
}

/// Connections to the Engine are kept and shared, the token is checked and removed, nothing is logged. Without
/// `http-no-delay` the first line of a followed log arrives a fifth of a second late, and with it large downloads
/// take twice as long, so only what must be live has it. HAProxy does not notice that the reader of a silent
/// log has left, hence the timeout: longer than any measurement here waits, short enough that a round does not pay
/// for the one before.
pub(crate) fn haproxy(port: u16, socket: &Path, certificate: Option<&Certificate>) -> String {
    let socket = socket.display();
    let tls = certificate.map_or_else(String::new, |certificate| {
        format!(" ssl crt {} alpn http/1.1", certificate.both.display())
    });
    format!(
        "global
  nbthread {WORKERS}
  maxconn {CONNECTIONS_MAX}
defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:{port}{tls}
  monitor-uri /health
  http-request deny deny_status 401 unless {{ req.hdr(Authorization) -m str \"Bearer {TOKEN}\" }}
  http-request del-header Authorization
  use_backend live if {{ path_end /logs /attach }}
  default_backend engine
backend engine
  server engine unix@{socket}
backend live
  option http-no-delay
  timeout server 20s
  server engine unix@{socket}
"
    )
}

/// The same, with buffers of the size that Lookout's are. Answers are buffered where they are small and pass through where they are streams.
pub(crate) fn nginx(
    port: u16,
    socket: &Path,
    directory: &Path,
    as_root: bool,
    certificate: Option<&Certificate>,
) -> String {
    let (tls, files) = certificate.map_or_else(Default::default, |certificate| {
        let (chain, key) = (certificate.chain.display(), certificate.key.display());
        let files =
            format!("ssl_certificate {chain};\n    ssl_certificate_key {key};\n    ssl_protocols TLSv1.3;");
        (" ssl", files)
    });
    let socket = socket.display();
    let directory = directory.display();
    // As root the workers would become a user that cannot reach the private directory.
    let user = if as_root { "user root;" } else { "" };
    format!(
        "daemon off;
{user}
worker_processes {WORKERS};
pid {directory}/nginx.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_request_buffering off;
  client_body_buffer_size 128k;
  proxy_buffer_size 64k;
  proxy_buffers 8 64k;
  proxy_busy_buffers_size 128k;
  proxy_max_temp_file_size 0;
  proxy_read_timeout 1h;
  proxy_send_timeout 1h;
  map $http_upgrade $connection_of {{ default upgrade; \"\" \"\"; }}
  proxy_set_header Connection $connection_of;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Authorization \"\";
  upstream engine {{
    server unix:{socket};
    keepalive 128;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
  }}
  server {{
    listen 127.0.0.1:{port}{tls} backlog=4096;
    {files}
    location = /health {{ return 200; }}
    location / {{
      if ($http_authorization != \"Bearer {TOKEN}\") {{ return 401; }}
      proxy_pass http://engine;
    }}
    location ~ /(logs|attach|get|archive)$ {{
      if ($http_authorization != \"Bearer {TOKEN}\") {{ return 401; }}
      proxy_buffering off;
      proxy_pass http://engine;
    }}
  }}
}}
",
        connections = CONNECTIONS_MAX * 2
    )
}

/// Lookout has no file: these are its variables.
pub(crate) fn lookout(port: u16, socket: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("PORT", port.to_string()),
        ("BIND_ADDRESS", "127.0.0.1".to_owned()),
        ("TOKEN", TOKEN.to_owned()),
        ("DOCKER_SOCKET", socket.display().to_string()),
        ("CONNECTIONS_MAX", CONNECTIONS_MAX.to_string()),
        ("LOG_LEVEL", "error".to_owned()),
    ]
}
