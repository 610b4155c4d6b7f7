"""MLflow's static files: only files in the folder are served."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from mlflow_proxy.supervisor.front.static_files import dashboard, static_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    (build / "static" / "js").mkdir(parents=True)
    (build / "static" / "js" / "main.js").write_text("1")
    (build / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    return build


def test_file_is_served_with_cache_headers(folder: Path) -> None:
    response = static_file(folder, "/static-files/static/js/main.js")
    assert response.status is HTTPStatus.OK
    assert response.file == folder / "static" / "js" / "main.js"
    assert response.content_type == "text/javascript; charset=utf-8"
    assert ("Cache-Control", "public, max-age=2419200") in response.headers
    assert ("X-Content-Type-Options", "nosniff") in response.headers
    assert ("X-Frame-Options", "SAMEORIGIN") in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "",
        "static",
        "no.js",
        "../secret",
        "%2e%2e/secret",
        "..%2Fsecret",
        "/etc/passwd",
        "%00",
        "link",
        300 * "x",
    ],
)
def test_path_outside_the_folder_is_not_found(folder: Path, path: str) -> None:
    response = static_file(folder, f"/static-files/{path}")
    assert response.status is HTTPStatus.NOT_FOUND
    assert response.file is None


def test_dashboard_page_is_not_stored_and_only_framed_by_the_same_origin(folder: Path) -> None:
    (folder / "index.html").write_text("<title>MLflow</title>")
    response = dashboard(folder)
    assert response.file == folder / "index.html"
    assert ("Cache-Control", "no-store") in response.headers
    assert ("X-Frame-Options", "SAMEORIGIN") in response.headers


def test_a_build_without_a_dashboard_has_no_page(folder: Path) -> None:
    assert dashboard(folder).status is HTTPStatus.NOT_FOUND
