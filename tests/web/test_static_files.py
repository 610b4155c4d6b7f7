"""MLflow's static files: only files in the folder are served, compressed for who accepts that."""

from __future__ import annotations

import gzip
import os
from http import HTTPStatus
from pathlib import Path

import pytest

from mlflow_proxy.web.pages import dashboard_frame, static_file

SCRIPT = b"console.log('MLflow');\n" * 200
NAME = "/static-files/static/js/main.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """MLflow's static files."""
    build = tmp_path / "build"
    (build / "static" / "js").mkdir(parents=True)
    (build / "static" / "js" / "main.js").write_bytes(SCRIPT)
    (build / "link").symlink_to(tmp_path / "secret")
    return build


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=0.5, GZIP;q=1.0", True),
        ("*", True),
        ("deflate , gzip ", True),
        ("gzip;q=0, br", False),
        ("gzip; q=0.0", False),
        ("gzip;q=0.000", False),
        ("", False),
        ("identity", False),
        ("xgzip", False),
        ("x-gzip", False),
    ],
)
def test_a_file_is_compressed_if_the_client_accepts_it(
    folder: Path, accepted: str, is_compressed: bool
) -> None:
    answer = static_file(folder, NAME, {"Accept-Encoding": accepted})
    assert answer.status is HTTPStatus.OK
    headers = dict(answer.headers)
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=2419200"
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers.get("Content-Encoding") == ("gzip" if is_compressed else None)
    assert (gzip.decompress(answer.body) if is_compressed else answer.body) == SCRIPT
    assert len(answer.body) < len(SCRIPT) / 10 or not is_compressed


@pytest.mark.parametrize(("name", "size"), [("a.png", 9999), ("a.woff2", 9999), ("a.js", 10)])
def test_incompressible_and_tiny_files_are_not_compressed(
    folder: Path, name: str, size: int
) -> None:
    (folder / name).write_bytes(b"x" * size)
    answer = static_file(folder, f"/static-files/{name}", {"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in dict(answer.headers)
    assert answer.body == b"x" * size


def test_a_browser_that_has_the_file_gets_it_again_only_if_it_has_changed(folder: Path) -> None:
    tag = dict(static_file(folder, NAME, {}).headers)["ETag"]
    again = static_file(folder, NAME, {"If-None-Match": tag, "Accept-Encoding": "gzip"})
    assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")
    os.utime(folder / "static" / "js" / "main.js", (1, 1))
    assert static_file(folder, NAME, {"If-None-Match": tag}).body == SCRIPT


@pytest.mark.parametrize("path", ["static", "no.js", "static/js", "no/main.js", "link", 300 * "x"])
def test_what_is_no_file_is_not_found(folder: Path, path: str) -> None:
    """A path that leaves the folder is none of a static file, see test_decide.py."""
    answer = static_file(folder, f"/static-files/{path}", {"Accept-Encoding": "gzip"})
    assert answer.status is HTTPStatus.NOT_FOUND
    assert answer.body == b"Not found"


def test_the_page_of_the_hidden_frame_is_not_stored_and_has_a_policy(folder: Path) -> None:
    (folder / "index.html").write_text("<title>MLflow</title>")
    answer = dashboard_frame(folder)
    assert answer.body == b"<title>MLflow</title>"
    headers = dict(answer.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("script-src 'self'")
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_build_without_a_dashboard_has_no_page(folder: Path) -> None:
    assert dashboard_frame(folder).status is HTTPStatus.NOT_FOUND
