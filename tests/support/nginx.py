"""A real nginx in front of Jupyter, with a common configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from .processes import environment, running
from .waiting import wait_for

NGINX = "/usr/sbin/nginx"
CONFIG = """
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
    server {{
        listen 127.0.0.1:{port}{tls};
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            {headers}
        }}
    }}
}}
"""

TLS = """ ssl;
        ssl_certificate {own};
        ssl_certificate_key {own};
        ssl_client_certificate {clients};
        ssl_verify_client on"""

Certificates = tuple[Path, Path] | None


@contextmanager
def nginx_server(
    home: Path,
    upstream: str,
    headers: str,
    port: int,
    certificates: tuple[Path, Path] | None = None,
) -> Iterator[str]:
    """Run nginx in front of `upstream`; yields its origin. Without `headers` it rewrites Host.

    With `certificates`, its own and that of an authority, it speaks TLS and wants a client's
    certificate that the authority has signed.
    """
    home.mkdir(parents=True)
    config = home / "nginx.conf"
    tls = TLS.format(own=certificates[0], clients=certificates[1]) if certificates else ""
    values = {"home": home, "port": port, "upstream": upstream, "headers": headers, "tls": tls}
    config.write_text(CONFIG.format(**values))
    origin = f"{'https' if certificates else 'http'}://localhost:{port}"

    def answers() -> bool:
        try:
            plain = origin.replace("https", "http")
            return requests.get(plain, timeout=5, allow_redirects=False).status_code < 500
        except requests.ConnectionError:
            return False

    command = [NGINX, "-e", str(home / "error.log"), "-c", str(config)]
    with running(command, cwd=home, env=environment(home), log=home / "nginx.log"):
        wait_for(answers, 30, f"nginx does not answer, see {home}/error.log")
        yield origin
