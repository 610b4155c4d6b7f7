"""What the documentation names exists: links, commands, options, settings, variables."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from openapi_spec_validator import validate

from mlflow_proxy import addresses
from mlflow_proxy.config import MLflowProxy
from mlflow_proxy.life import Life
from mlflow_proxy.web import control

ROOT = Path(__file__).parents[2]
FOLDERS = (".", ".github", "docs", "examples", "tests/benchmarks")
PAGES = sorted(
    page
    for folder in FOLDERS
    for page in (ROOT / folder).glob("*.md" if folder == "." else "**/*.md")
    if "_build" not in page.parts
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)(?!`)")
CODE = re.compile(r"`[^`\n]+`")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?:\n|^) {4,}\S.*\n)+", re.MULTILINE)
PATH = re.compile(r"(?<![\w./-])(?:tests|examples|mlflow_proxy|docs)/[\w./-]*\w")
VARIABLE = re.compile(r"\b(?:MLFLOW|AWS|DO_NOT)_[A-Z0-9_]+\b")
# Of MLflow's processes among themselves; or set for MLflow by us, in every case.
NOT_FOR_USERS = {
    "MLFLOW_ENABLE_WORKSPACES",
    "MLFLOW_PROXY_",
    "MLFLOW_SERVER_ALLOWED_HOSTS",
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE",
    "MLFLOW_SERVER_JOB_ENABLE_PERIODIC_TASKS",
    "MLFLOW_SERVER_JOB_EXECUTION_ENGINE",
    "MLFLOW_SQL_TRACE_ROLLUPS_ENABLED",
    "MLFLOW_TRACE_ARCHIVAL_CONFIG",
}
COMMANDS_OF_MLFLOW = """
import json, sys
from mlflow.cli import cli

def walk(command, name):
    options = [each for parameter in command.params for each in parameter.opts]
    yield name, options
    for word, part in getattr(command, "commands", {}).items():
        yield from walk(part, f"{name} {word}")

print(json.dumps(dict(walk(cli, "mlflow"))))
"""


class Block(NamedTuple):
    """A block of code on a page."""

    page: Path
    language: str
    text: str


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text()


def blocks(*languages: str) -> Iterator[Block]:
    """The fenced blocks in `languages`; an indented block is "sh"."""
    for page in PAGES:
        for indent, language, text in FENCE.findall(text_of(page)):
            if language in languages:
                yield Block(page, language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        if "sh" in languages:
            rest = FENCE.sub("", text_of(page))
            for match in INDENTED.finditer(rest):
                yield Block(page, "sh", re.sub("^ {4,7}", "", match[0], flags=re.MULTILINE))


def commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """The page and words of each command `program` in a block or in running text."""
    start = rf"(?<![\w./-]){program} "
    for page in PAGES:
        text = re.sub(r"\\\n\s*", " ", text_of(page))
        in_blocks = re.findall(rf"^ *(?:\S+=\S+ )*{start}([^#`\n|&>]+)", text, re.MULTILINE)
        for words in [*in_blocks, *re.findall(rf"`{start}([^`\n]+)`", text)]:
            yield name_of(page), words.split()


def anchors(page: Path) -> set[str]:
    """The anchors of the page's headings, as GitHub and MyST make them."""
    if page.name == "settings.md":
        return {name.replace("_", "-") for name in MLflowProxy.class_traits(config=True)}
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_what_exists(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", FENCE.sub("", text_of(page)))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_each_page_of_the_documentation_is_reached_in_two_clicks_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    for _ in range(2):
        reached |= {
            (page.parent / link.partition("#")[0]).resolve()
            for page in reached
            if page.suffix == ".md"
            for link in LINK.findall(text_of(page))
        }
    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")}
    lists = {page for page in pages if page.name == "index.md"}
    assert not pages - lists - reached


def test_code_can_be_read() -> None:
    for block in blocks("python"):
        ast.parse(block.text)
    for block in blocks("bash", "sh"):
        if not block.text.isascii():  # a drawing
            continue
        text = re.sub(r"<[\w ]+>", "value", block.text)
        assert not subprocess.call(["bash", "-nc", text]), block
    for block in blocks("yaml"):
        list(yaml.safe_load_all(block.text))


def test_settings_exist() -> None:
    known = MLflowProxy.class_traits(config=True).keys()
    for page in PAGES:
        named = re.findall(r"(?:c\.|--)MLflowProxy\.(\w+)", text_of(page))
        assert {*named} - {"name"} <= {*known}, page


def test_the_readme_has_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text_of(ROOT / "README.md"), re.MULTILINE))
    traits = MLflowProxy.class_traits(config=True)
    assert rows.keys() == traits.keys()
    for name, shown in rows.items():
        if shown.startswith("`") and shown.endswith("`") and "$" not in shown:
            assert ast.literal_eval(shown.strip("`")) == getattr(MLflowProxy(), name), name


def test_commands_of_jupyter_exist() -> None:
    programs = {path.name for path in Path(sys.executable).parent.glob("jupyter-*")}
    for page, (word, *_) in commands("jupyter"):
        known = word.startswith("-") or f"jupyter-{word}" in programs
        assert known or word in ("…", "..."), (page, word)


def test_commands_and_options_of_mlflow_exist() -> None:
    printed = subprocess.check_output([sys.executable, "-c", COMMANDS_OF_MLFLOW], text=True)
    known: dict[str, list[str]] = json.loads(printed.splitlines()[-1])
    known["mlflow ui"] = known["mlflow server"]  # another name, which the command itself looks up
    found = [*commands("mlflow"), *commands("python -m mlflow")]
    assert found
    for page, words in found:
        name = "mlflow"
        for word in words:
            if f"{name} {word}" in known:
                name = f"{name} {word}"
            elif word.startswith("--"):
                assert word.partition("=")[0].rstrip(",;:") in known[name], (page, words)
        assert name != "mlflow" or words[0].startswith("-"), (page, words)


def test_scripts_and_tests_exist() -> None:
    for page in PAGES:
        for path in PATH.findall(text_of(page)):
            in_docs = page.parent / path
            assert (ROOT / path).exists() or in_docs.exists(), (page, path)


def test_the_environment_variables_of_the_code_are_listed() -> None:
    listed = set(VARIABLE.findall(text_of(ROOT / "docs" / "reference" / "environment.md")))
    code = "".join(path.read_text() for path in (ROOT / "mlflow_proxy").rglob("*.py"))
    used = set(re.findall(r'"(MLFLOW_[A-Z0-9_]+)"', code))
    assert used - NOT_FOR_USERS - listed == set()
    own = {name for name in listed if name.startswith(addresses.OWN_VARIABLES)}
    assert own <= used


def test_the_control_api_is_valid_and_has_each_address() -> None:
    document = yaml.safe_load((ROOT / "docs" / "reference" / "openapi.yaml").read_text())
    validate(document)
    described = document["paths"].keys()
    named = {each for name, each in vars(addresses).items() if name.startswith("CONTROL")}
    assert described == named | {addresses.STATUS}
    life = object.__new__(Life)  # no request is made
    routes = [*control.routes("", MLflowProxy(), life)]
    for path in described:
        assert sum(bool(route.regex.match(path)) for route in routes) == 1, path
