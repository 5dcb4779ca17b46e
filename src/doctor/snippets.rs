//! What lets a WebSocket pass a reverse proxy, for the four that are met most.

/// For a controller on 127.0.0.1:3000 behind each of them.
pub(super) const SNIPPETS: &str = "\
let the reverse proxy before the controller pass WebSockets on.

nginx, inside `server`:
    location / {
        proxy_pass http://127.0.0.1:3000;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection \"upgrade\";
        proxy_set_header Host $host;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
    }

Caddy (passes them on without more; a `header_up` that changes Connection or Upgrade must go):
    controller.example.com {
        reverse_proxy 127.0.0.1:3000
    }

Traefik (passes them on without more; a `headers` middleware that sets Connection or Upgrade must go):
    http:
      routers:
        controller:
          rule: Host(`controller.example.com`)
          service: controller
      services:
        controller:
          loadBalancer:
            servers:
              - url: http://127.0.0.1:3000

HAProxy (`option httpclose` and `option forceclose` must go; what counts then is the tunnel's time):
    defaults
        mode http
        timeout tunnel 1h
    backend controller
        server controller 127.0.0.1:3000";
