"""MLflow's static files: only files in the folder are served, compressed for who accepts that."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from pathlib import Path

import pytest

from mlflow_proxy.web.pages import dashboard_frame, static_file
from mlflow_proxy.web.static_files import HEADERS

SCRIPT = b"console.log('MLflow');\n" * 200


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MLflow's static files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    build = tmp_path / "build"
    (build / "static" / "js").mkdir(parents=True)
    (build / "static" / "js" / "main.js").write_bytes(SCRIPT)
    (build / "link").symlink_to(tmp_path / "secret")
    return build


@pytest.mark.parametrize(("accepted", "coding"), [("", None), ("gzip", "gzip"), ("br", "br")])
def test_a_file_has_the_coding_that_the_client_accepts(
    folder: Path, accepted: str, coding: str | None
) -> None:
    answer = static_file(folder, "/static-files/static/js/main.js", accepted)
    assert answer.status is HTTPStatus.OK
    headers = dict(answer.headers)
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=2419200"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert set(HEADERS) <= set(answer.headers)
    assert headers.get("Content-Encoding") == coding
    assert (answer.body == SCRIPT) == (coding is None)
    assert len(answer.body) <= len(SCRIPT)
    if coding == "gzip":
        assert gzip.decompress(answer.body) == SCRIPT


@pytest.mark.parametrize("path", ["static", "no.js", "static/js", "no/main.js", "link", 300 * "x"])
def test_what_is_no_file_is_not_found(folder: Path, path: str) -> None:
    """A path that leaves the folder is none of a static file, see test_decide.py."""
    answer = static_file(folder, f"/static-files/{path}", "gzip")
    assert answer.status is HTTPStatus.NOT_FOUND
    assert answer.body == b"Not found"


def test_the_page_of_the_hidden_frame_is_not_stored_and_has_a_policy(folder: Path) -> None:
    (folder / "index.html").write_text("<title>MLflow</title>")
    answer = dashboard_frame(folder)
    assert answer.body == b"<title>MLflow</title>"
    headers = dict(answer.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("script-src 'self'")


def test_a_build_without_a_dashboard_has_no_page(folder: Path) -> None:
    assert dashboard_frame(folder).status is HTTPStatus.NOT_FOUND
