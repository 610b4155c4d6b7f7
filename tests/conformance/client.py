"""Calls of MLflow's client, with a transcript of all requests and responses.

    python client.py URL TOKEN TRANSCRIPT

Runs every family of calls against the tracking server at URL and writes requests and responses to
the file TRANSCRIPT, as JSON: for each family a list of exchanges. If a family raises an exception,
e.g. because MLflow's client lacks a method, its last entry holds the exception.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

SEND = requests.Session.send


class Rest:
    """Sends requests that MLflow's client does not send."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send `method` to `path` below the server's URL."""
        return self._session.request(method, f"{self._url}{path}", timeout=60, **options)

    def post(self, path: str, body: Any) -> Any:
        """Post JSON to `path` of the API; returns the response."""
        return self("POST", f"/api/2.0/mlflow/{path}", json=body).json()


class Recorder:
    """Records all exchanges."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.exchanges: list[dict[str, Any]] = []
        requests.Session.send = self._sending()  # type: ignore[method-assign]

    def _sending(self) -> Any:
        def send(session: Any, request: Any, **options: Any) -> Any:
            answer = SEND(session, request, **options)
            self._record(request, answer)
            return answer

        return send

    def _record(self, request: Any, answer: Any) -> None:
        asked = request.body or b""
        if request.headers.get("Content-Type", "").startswith("application/json"):
            asked = asked if isinstance(asked, str) else asked.decode("utf-8", "backslashreplace")
        else:  # uploads are compared by their downloads
            asked = ""
        assert request.url.startswith(self._url), request.url
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if "location" in headers:
            headers["location"] = urljoin(request.url, headers["location"]).removeprefix(self._url)
        self.exchanges.append(
            {
                "method": request.method,
                "path": request.url[len(self._url) :],
                "asked": asked,
                "status": answer.status_code,
                "headers": headers,
                "length": len(answer.content),
                "body": answer.content.decode("utf-8", "backslashreplace"),
            }
        )

    @contextmanager
    def in_any_order(self) -> Iterator[None]:
        """Sort the exchanges of the block, as the client uses threads."""
        first = len(self.exchanges)
        try:
            yield
        finally:
            for thread in threading.enumerate():
                if thread.name.startswith("link_prompt"):
                    thread.join()
        later = sorted(self.exchanges[first:], key=lambda each: (each["path"], each["method"]))
        self.exchanges[first:] = later


def main(url: str, token: str, transcript: str) -> None:
    """Run all families."""
    os.environ.update(
        {
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_TRACKING_TOKEN": token,
            # One retry: MLflow may close the connection in the middle of a response.
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
            "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
            "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
            # Else the client requests the server's capabilities once a minute.
            "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
            "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        }
    )
    import artifacts
    import errors
    import inputs
    import registry
    import traces
    import tracking
    from mlflow import MlflowClient

    modules = (tracking, inputs, registry, traces, artifacts, errors)
    families = {name: each for module in modules for name, each in module.FAMILIES.items()}
    client, rest, recorder = MlflowClient(), Rest(url, token), Recorder(url)
    written = {}
    for name, run in families.items():
        recorder.exchanges = written[name] = []
        try:
            run(client, rest, recorder)
        except Exception as error:
            written[name].append({"ended": f"{type(error).__name__}: {error}"})
    Path(transcript).write_text(json.dumps(written, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
