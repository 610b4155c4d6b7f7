"""Addresses are kept in one module: pages and scripts get theirs as data."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import mlflow_proxy
from mlflow_proxy import addresses
from mlflow_proxy.server.middleware.pages import Pages
from mlflow_proxy.web import pages
from support.asgi import Recorder, ask

PACKAGE = Path(mlflow_proxy.__file__).parent
PAGES = PACKAGE / "web" / "page"
DASHBOARD = PACKAGE / "server" / "dashboard"
LAB_THEME = PACKAGE / "lab_theme.js"
SUFFIXES = {".css", ".html", ".js"}
CANDIDATES = (*PAGES.iterdir(), *DASHBOARD.iterdir(), LAB_THEME)
FILES = [each for each in CANDIDATES if each.suffix in SUFFIXES]
COMMENT = re.compile(r"(?:^|\s)//.*$", re.MULTILINE)
# Of a string or of a regular expression: a slash between two names, or between a name and a group.
PATH = re.compile(r"(?<!\w)[\w.-]+\\?/[\w(\[][\w-]*")
MEDIA_TYPES = {"application/json", "text/html"}
LAB = Path(sys.prefix) / "share/jupyter/labextensions/jupyter-mlflow-proxy/static"
# Those that are no address are left out: MLflow's name, parts of files' names.
NO_ADDRESSES = ("NAME", "JOBS_FOLDER")
ADDRESSES = {
    name: value
    for name, value in vars(addresses).items()
    if name.isupper() and isinstance(value, str) and name not in NO_ADDRESSES
}


def test_the_files_that_spell_no_address_are_found() -> None:
    assert {each.name for each in FILES} >= {
        "page.css",
        "page.html",
        "page.js",
        "artifact_frame.html",
        "artifact_frame.js",
        "input_reporter.js",
        "lab_theme.js",
        "trace_links.js",
        "watched_runs.js",
    }
    assert {"STATUS", "INPUT", "IDLE_HEADER", "MODE_KEY", "RUN_SEARCH", "DASHBOARD_URL"} <= set(
        ADDRESSES
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_page_and_no_script_spells_an_address(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert not [name for name, value in ADDRESSES.items() if addresses.below(value) in text]
    assert not re.search(r"(?<!mlflow)_proxy", text)
    assert "X-MLflow" not in text
    if file.suffix == ".js":
        assert set(PATH.findall(COMMENT.sub("", text))) <= MEDIA_TYPES


def test_a_path_of_mlflows_is_noticed_in_any_spelling() -> None:
    for script in (
        'get("runs/get")',
        r"/\/runs\/[\w-]+$/",
        r"/(runs\/(get|search))/",
        "`a/${run}/b/c`",
    ):
        assert PATH.search(COMMENT.sub("", script)), script


def test_one_module_of_the_lab_extension_spells_addresses() -> None:
    texts = {each.name: each.read_text(encoding="utf-8") for each in LAB.glob("*.js")}
    server = texts.pop("server.js")
    paths = {addresses.CONTROL, addresses.CONTROL_LOG}
    assert set(re.findall(r"_proxy[\w/]*(?=[`\"])", server)) == {each[1:] for each in paths}
    actions = {addresses.CONTROL_START, addresses.CONTROL_STOP, addresses.CONTROL_RESTART}
    assert {f"{addresses.CONTROL}/{each}" for each in ("start", "stop", "restart")} == actions
    assert f"{addresses.CONTROL[1:]}/${{what}}" in server
    assert addresses.IDLE_HEADER.lower() in server.lower()
    for text in texts.values():
        assert not re.search(r"(?<!mlflow)_proxy|X-MLflow", text)


def test_the_loading_page_gets_the_addresses_that_its_script_uses() -> None:
    used = re.findall(r"\baddresses\.(\w+)", (PAGES / "page.js").read_text(encoding="utf-8"))
    assert set(used) == set(pages.PAGE_ADDRESSES)
    assert {f"/{each}" for each in pages.PAGE_ADDRESSES.values()} <= set(ADDRESSES.values())


@pytest.mark.parametrize("path", ["/", addresses.TRACE_PAGE])
def test_the_dashboard_gets_the_data_that_its_scripts_use(path: str) -> None:
    files = (*DASHBOARD.glob("*.js"), LAB_THEME)
    scripts = "".join(each.read_text(encoding="utf-8") for each in files)
    used = re.findall(r"const \{([^{}]*)\} = document\.currentScript\.dataset", scripts)
    assert scripts.count("dataset") == len(used)
    names = {name.partition(":")[0].strip() for each in used for name in each.split(",")}
    page = ask(Pages(Recorder(body=b"<head>"), 60.0), path).body.decode()
    tag = page.partition("<script")[2].partition(">")[0]
    assert {camel_case(name) for name in re.findall(r"data-([\w-]+)=", tag)} == names


def camel_case(name: str) -> str:
    """What `data-<name>` is called in a script's dataset."""
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)
