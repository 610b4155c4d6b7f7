"""Parts of the reference that are made from the code: settings, log lines, the control API."""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from traitlets import Dict, TraitType, Unicode

from mlflow_proxy import config
from mlflow_proxy.config import MLflowProxy

PACKAGE = Path(config.__file__).parent
API = Path(__file__).parents[1] / "reference" / "openapi.yaml"
LEVELS = ("info", "warning", "error", "exception")
SIDES = {"server": "MLflow", "notebook": "kernel"}  # all else: Jupyter


class MarkdownDirective(SphinxDirective):
    """Renders the Markdown that `markdown` returns in place of the directive."""

    def markdown(self) -> str:
        """The text."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Render it."""
        return self.parse_text_to_nodes(self.markdown(), allow_section_headings=True)


class Settings(MarkdownDirective):
    """Every setting, by the help of its trait."""

    def markdown(self) -> str:
        """A section for each setting."""
        return "\n\n".join(settings())


def settings() -> Iterator[str]:
    """Markdown of each setting, by name."""
    for name, trait in MLflowProxy.class_own_traits(config=True).items():
        text = textwrap.dedent(str(trait.help)).strip()
        lines = [f"## `{name}`", f"Takes {taken(trait)}.", text]
        if "Default:" not in text:
            lines.append(f"Default: `{trait.default_value!r}`.")
        yield "\n\n".join(lines)


def taken(trait: TraitType[Any, Any]) -> str:
    """What the setting takes, as the page of a failed start says it."""
    kinds = {Dict: "a dictionary of strings", Unicode: "text"}
    known = (text for kind, text in kinds.items() if isinstance(trait, kind))
    return next(known, "") or str(trait.metadata["expected"])


class LogLine(NamedTuple):
    """A line that the package may write to a log."""

    level: str
    text: str
    side: str


class LogLines(MarkdownDirective):
    """Every line that the package writes to a log at the level INFO or above."""

    def markdown(self) -> str:
        """A table, by who writes the line."""
        rows = [f"| {line.side} | {line.level} | {line.text} |" for line in log_lines()]
        return "\n".join(["| process | level | line |", "| --- | --- | --- |", *rows])


def log_lines() -> list[LogLine]:
    """The lines in the code, sorted."""
    return sorted({line for path in PACKAGE.rglob("*.py") for line in lines_of(path)})


def lines_of(path: Path) -> Iterator[LogLine]:
    """The lines of one module."""
    folder = path.relative_to(PACKAGE).parts[0]
    tree = ast.parse(path.read_text())
    texts = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        logger = ast.unparse(node.func.value)
        if node.func.attr not in LEVELS or not re.search(r"\blog$|_logger$", logger):
            continue
        message = node.args[0]
        if isinstance(message, ast.Name):
            message = texts.get(message.id, message)
        for text in texts_of(message):
            level = "ERROR" if node.func.attr == "exception" else node.func.attr.upper()
            yield LogLine(level, shown(text), SIDES.get(folder, "Jupyter"))


def texts_of(message: ast.expr) -> Iterator[str]:
    """The texts that `message` may have; none if it consists of values only."""
    if isinstance(message, ast.IfExp):
        yield from texts_of(message.body)
        yield from texts_of(message.orelse)
    elif isinstance(message, ast.Constant) and re.search(r"[A-Za-z]{3}", str(message.value)):
        yield str(message.value)


def shown(text: str) -> str:
    """`text` with a mark for each value."""
    text = re.sub(r"%[.\d]*[a-z]", "…", text).strip()
    return text.replace("|", r"\|").replace("<", "&lt;").replace("*", r"\*").replace("`", "\\`")


class Endpoints(MarkdownDirective):
    """The endpoints of openapi.yaml."""

    def markdown(self) -> str:
        """A table."""
        lines = ["| request | does | answers |", "| --- | --- | --- |"]
        for path, methods in yaml.safe_load(API.read_text())["paths"].items():
            for method, operation in methods.items():
                if method != "parameters":
                    answers = ", ".join(operation["responses"])
                    call = f"`{method.upper()} {path}`"
                    lines.append(f"| {call} | {operation['summary']} | {answers} |")
        return "\n".join(lines)


class StatusDocument(MarkdownDirective):
    """The schema `Status` of openapi.yaml."""

    def markdown(self) -> str:
        """A table."""
        lines = ["| name | type | meaning |", "| --- | --- | --- |"]
        schema = yaml.safe_load(API.read_text())["components"]["schemas"]["Status"]
        for name, field in schema["properties"].items():
            kind = field["type"]
            kind = " or ".join(kind) if isinstance(kind, list) else kind
            lines.append(f"| `{name}` | {kind} | {field['description'].strip()} |")
        return "\n".join(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives; a page that uses them is read anew in each build."""
    app.add_directive("settings", Settings)
    app.add_directive("log-lines", LogLines)
    app.add_directive("endpoints", Endpoints)
    app.add_directive("status-document", StatusDocument)
    return {"parallel_read_safe": True}
