"""The pages' scripts and the Python side agree: scripts get addresses as data and spell none."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from mlflow_proxy.server.middleware.pages import Pages
from mlflow_proxy.shared import addresses
from mlflow_proxy.supervisor.front.answers import PAGE_ADDRESSES
from support.asgi import Recorder, ask

PAGES = files("mlflow_proxy.supervisor.front.pages")
DASHBOARD = files("mlflow_proxy.server.dashboard")
SPELT = [
    value
    for name, value in vars(addresses).items()
    if name.isupper() and isinstance(value, str) and name not in ("NAME", "SOCKET_FOLDER")
]


@pytest.mark.parametrize("name", ["page.js", "page.html", "page.css"])
def test_the_loading_page_spells_no_address(name: str) -> None:
    text = (PAGES / name).read_text(encoding="utf-8")
    assert not [value for value in SPELT if addresses.below(value) in text]


def test_the_dashboards_scripts_spell_no_address() -> None:
    for script in DASHBOARD.iterdir():
        if script.name.endswith((".js", ".html")):
            text = script.read_text(encoding="utf-8")
            assert not [value for value in SPELT if addresses.below(value) in text], script.name


def test_the_loading_page_uses_the_addresses_that_it_gets() -> None:
    text = (PAGES / "page.js").read_text(encoding="utf-8")
    assert set(re.findall(r"\baddresses\.(\w+)", text)) == set(PAGE_ADDRESSES)


@pytest.mark.parametrize(("path", "base"), [("/", "./"), (addresses.TRACE_PAGE, "../../../")])
def test_the_dashboards_script_uses_the_data_that_it_gets(path: str, base: str) -> None:
    app = Pages(Recorder((b"content-type", b"text/html")), idle_timeout=60.0)
    page = ask(app, path, body=b"<html><head><title>MLflow</title>").body.decode()
    written = dict(re.findall(r' data-([\w-]+)="([^"]*)"', page.partition("</script>")[0]))
    assert written["base"] == base
    assert written["input"] == addresses.below(addresses.INPUT)
    assert written["idle-header"] == addresses.IDLE_HEADER
    script = (DASHBOARD / "input_reporter.js").read_text(encoding="utf-8")
    (used,) = re.findall(r"const \{([^}]*)\} = document\.currentScript\.dataset", script)
    camel = {re.sub(r"-(\w)", lambda m: m[1].upper(), name) for name in written}
    assert {name.partition(":")[0].strip() for name in used.split(",")} == camel


def test_the_name_of_a_log_is_recognized() -> None:
    match = addresses.LOG_NAME.fullmatch(addresses.log_name(123))
    assert match
    assert match["pid"] == "123"
    assert addresses.LOG_NAME.fullmatch(f"{addresses.log_name(123)}.1")
