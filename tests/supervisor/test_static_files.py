"""MLflow's static files: what is in the folder, and nothing else."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

import pytest

from mlflow_proxy.supervisor.static_files import entry_points, static_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build = tmp_path / "build"
    (build / "static" / "js").mkdir(parents=True)
    (build / "static" / "js" / "main.js").write_text("1")
    (build / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("secret")
    return build


def test_a_file_is_served_and_may_be_cached(folder: Path) -> None:
    response = static_file(folder, "/static-files/static/js/main.js")
    assert response.status is HTTPStatus.OK
    assert response.file == folder / "static" / "js" / "main.js"
    assert response.content_type == "text/javascript; charset=utf-8"
    assert ("Cache-Control", "public, max-age=2419200") in response.headers


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
def test_nothing_else_is_served(folder: Path, path: str) -> None:
    response = static_file(folder, f"/static-files/{path}")
    assert response.status is HTTPStatus.NOT_FOUND
    assert response.file is None


def test_the_entry_points_are_the_dashboards(folder: Path) -> None:
    (folder / "index.html").write_text(
        '<link href="./static-files/favicon.ico"/><script src="static-files/static/js/main.1.js">'
        '</script><link href="static-files/static/css/main.2.css" rel="stylesheet">'
    )
    assert entry_points(folder) == [
        "static-files/static/js/main.1.js",
        "static-files/static/css/main.2.css",
    ]


def test_a_build_without_a_dashboard_has_no_entry_points(folder: Path) -> None:
    assert entry_points(folder) == []
