"""A listener on the loopback interface that records requests and their credentials."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Listener:
    """Answers every request with an empty JSON object, or with a redirect to `redirects_to`."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        """Paths as received, and the values of `Authorization`."""
        self.redirects_to = ""
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                listener.requests.append((self.path, self.headers.get("Authorization", "")))
                self.send_response(307 if listener.redirects_to else 200)
                if listener.redirects_to:
                    self.send_header("Location", listener.redirects_to)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.authority = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.authority}"

    def take(self) -> list[tuple[str, str]]:
        """Return the requests so far, and start with none."""
        taken, self.requests = self.requests, []
        return taken


@contextmanager
def listener() -> Iterator[Listener]:
    """Run a listener."""
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()
