"""Addresses are kept in one module: pages and scripts get theirs as data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mlflow_proxy
from mlflow_proxy.server.middleware.pages import Pages
from mlflow_proxy.shared import addresses
from mlflow_proxy.supervisor.front import answers
from support.asgi import Recorder, ask

PACKAGE = Path(mlflow_proxy.__file__).parent
PAGE = PACKAGE / "supervisor" / "front" / "pages" / "page.html"
PAGE_SCRIPT = PAGE.with_name("page.js")
DASHBOARD_SCRIPT = PACKAGE / "server" / "dashboard" / "input_reporter.js"
ADDRESSES = {
    name: value
    for name, value in vars(addresses).items()
    if name.isupper() and isinstance(value, str) and value.startswith(("/", "X-", "MLFLOW"))
}


@pytest.mark.parametrize("file", [PAGE, PAGE_SCRIPT, DASHBOARD_SCRIPT], ids=lambda file: file.name)
def test_no_page_and_no_script_spells_an_address(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert {"STATUS", "INPUT", "IDLE_HEADER", "TRACE_PAGE", "DASHBOARD_URL"} <= set(ADDRESSES)
    spelt = {name for name, value in ADDRESSES.items() if addresses.below(value) in text}
    assert spelt == set()
    assert "_proxy" not in text
    assert "X-MLflow" not in text


def test_the_loading_page_gets_the_addresses_that_its_script_uses() -> None:
    used = re.findall(r"\baddresses\.(\w+)", PAGE_SCRIPT.read_text(encoding="utf-8"))
    assert set(used) == set(answers.PAGE_ADDRESSES)
    assert set(answers.PAGE_ADDRESSES.values()) <= set(ADDRESSES.values())


def test_the_dashboard_gets_the_data_that_its_script_uses() -> None:
    script = DASHBOARD_SCRIPT.read_text(encoding="utf-8")
    (used,) = re.findall(r"const \{([^{}]*)\} = document\.currentScript\.dataset", script)
    assert script.count("dataset") == 1
    names = {name.partition(":")[0].strip() for name in used.split(",")}
    page = ask(Pages(Recorder(body=b"<head>"), 60.0)).body.decode()
    tag = page.partition("<script")[2].partition(">")[0]
    assert {camel_case(name) for name in re.findall(r"data-([\w-]+)=", tag)} == names


def camel_case(name: str) -> str:
    """What `data-<name>` is called in a script's dataset."""
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)
