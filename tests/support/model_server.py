"""A model server that speaks OpenAI's API on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("One ", "word ", "after ", "another.")
VERDICT = {"result": True, "rationale": "It says please."}


class ModelServer:
    """Answers every chat with `VERDICT`, or in a stream with `WORDS`, while `answers` is set."""

    def __init__(self, port: int = 0) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.requests: list[dict[str, Any]] = []
        """The bodies of the chats, answered or not."""
        model_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                model_server.requests.append(json.loads(body))
                model_server.answers.wait()
                if model_server.requests[-1].get("stream"):
                    self.stream()
                    return
                answer = json.dumps(chat_completion()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def stream(self) -> None:
                """Send the words one by one, the second and later ones when `goes_on` is set."""
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                for number, word in enumerate(WORDS):
                    if number:
                        model_server.goes_on.wait()
                    self.wfile.write(b"data: %s\n\n" % json.dumps(chunk(word)).encode())
                    self.wfile.flush()
                self.wfile.write(b"data: %s\n\ndata: [DONE]\n\n" % json.dumps(chunk(None)).encode())

            def log_message(self, *args: object) -> None:
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                """Expect clients that are killed."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def variables(self) -> dict[str, str]:
        """What makes a client of OpenAI ask this server, and lets MLflow's gateway do so."""
        return {
            "OPENAI_API_BASE": self.url,
            "OPENAI_API_KEY": "sk-of-the-tests",
            "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
        }

    def close(self) -> None:
        """Stop to answer."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()


def chunk(word: str | None) -> dict[str, Any]:
    """A part of a streamed answer; None: its end."""
    choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    if word is not None:
        delta = {"role": "assistant", "content": word}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [choice],
    }


def chat_completion() -> dict[str, Any]:
    """An answer of OpenAI's API."""
    message = {"role": "assistant", "content": json.dumps(VERDICT)}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@contextmanager
def model_server(port: int = 0) -> Iterator[ModelServer]:
    """Run a model server, at a free port unless one is given."""
    server = ModelServer(port)
    try:
        yield server
    finally:
        server.close()
