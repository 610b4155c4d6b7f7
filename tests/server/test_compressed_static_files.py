"""Static files are answered from their folder, compressed where the client accepts it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mlflow_proxy.server.middleware.compressed_static_files import CompressedStaticFiles
from mlflow_proxy.shared.compressed_files import HEADERS
from support.asgi import Answer, Recorder, ask

SCRIPT = b"console.log('MLflow');\n" * 200


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MLflow's static files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "main.js").write_bytes(SCRIPT)
    (tmp_path / "secret.js").write_bytes(SCRIPT)
    return folder


def get(folder: Path, name: str, *headers: tuple[bytes, bytes], method: str = "GET") -> Answer:
    """Request a static file from the middleware."""
    app = CompressedStaticFiles(Recorder(body=b"MLflow"), folder)
    return ask(app, f"/static-files/{name}", method=method, headers=list(headers))


@pytest.mark.parametrize(("accepted", "coding"), [(b"", None), (b"gzip", "gzip"), (b"br", "br")])
def test_a_file_has_the_coding_that_the_client_accepts(
    folder: Path, accepted: bytes, coding: str | None
) -> None:
    answer = get(folder, "main.js", (b"accept-encoding", accepted))
    assert answer.status == 200
    assert answer.headers.get("content-encoding") == coding
    assert (answer.body == SCRIPT) == (coding is None)
    assert len(answer.body) <= len(SCRIPT)
    if coding == "gzip":
        assert gzip.decompress(answer.body) == SCRIPT
    assert "javascript" in answer.headers["content-type"]
    assert set(HEADERS) <= {(name.title(), value) for name, value in answer.headers.items()}


def test_a_head_request_has_the_length_of_the_compressed_file(folder: Path) -> None:
    gzipped = (b"accept-encoding", b"gzip")
    answer = get(folder, "main.js", gzipped, method="HEAD")
    assert answer.body == b""
    assert answer.headers["content-length"] == str(len(get(folder, "main.js", gzipped).body))


@pytest.mark.parametrize("accepted", [b"", b"gzip"])
def test_a_file_that_the_browser_has_is_not_sent_again(folder: Path, accepted: bytes) -> None:
    encoding = (b"accept-encoding", accepted)
    etag = get(folder, "main.js", encoding).headers["etag"]
    answer = get(folder, "main.js", encoding, (b"if-none-match", etag.encode()))
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["cache-control"] == dict(HEADERS)["Cache-Control"]


@pytest.mark.parametrize("name", ["missing.js", "", "../secret.js", "%2e%2e/secret.js", "a\0b"])
def test_a_path_that_is_no_file_of_the_folder_is_not_found(folder: Path, name: str) -> None:
    answer = get(folder, name)
    assert answer.status == 404
    assert b"MLflow" not in answer.body


@pytest.mark.parametrize("path", ["/", "/static-files", "/static-files2/main.js", "/graphql"])
def test_any_other_path_reaches_mlflow(folder: Path, path: str) -> None:
    app = CompressedStaticFiles(Recorder(body=b"MLflow"), folder)
    assert ask(app, path).body == b"MLflow"
