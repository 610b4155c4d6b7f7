"""Transcripts of HTTP exchanges: normalised for comparison, and as a table."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from typing import Any
from urllib.parse import unquote

Exchange = dict[str, Any]
Transcripts = dict[str, list[Exchange]]  # by family

# Values that differ between runs. Ids are numbered in order of appearance, so equal ids stay equal.
VOLATILE = re.compile(
    r"(?P<id>(?:(?<![0-9a-f])|(?<=%27))(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{16})(?![0-9a-f])"
    r"|(?<=\")[A-Za-z0-9+/]{22}==|(?<=\")[A-Za-z0-9+/]{11}=(?=\"))"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?"
    r"|(?<!\d)1[789]\d{11}(?:\d{6})?(?!\d)"
    r"|(?<=execution_duration)[\w\": ]+\.\d+s"  # of a trace
    r"|(?<=execution_duration_ms)\": \d+"
    r"|(?<=trace.sizeBytes)[\": ]+\d+|(?<=trace.sizeStats)[\": ]+\{[^}]*\}"  # varies with numbers
    r"|(?<=digest\": \")[0-9a-f]{8}(?=\")"  # of an evaluation dataset: random
)
TOKENS = re.compile(r"(?<=page_token)(\": \"|=)([\w+/%-]+=*)")
# Headers of Jupyter, of the transport and of the artifacts' policy; ETag contains a file's time.
OURS = {
    "connection",
    "content-length",
    "content-security-policy",
    "date",
    "etag",
    "last-modified",
    "server",
    "set-cookie",
    "transfer-encoding",
    "x-frame-options",
}


# `/get-artifact`, used by the dashboard, reports a missing file by its path relative to the served
# folder, or to the run's artifact folder if that is separate.
PLACE = re.compile(r"(?<=: ')\d+/<id\d+>/artifacts/")


def normalised(exchanges: list[Exchange]) -> list[Exchange]:
    """The exchanges with placeholders for values that differ between runs."""
    ids: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        return ids.setdefault(match[0], f"<id{len(ids)}>") if match["id"] else "<now>"

    def normalise(value: Any) -> Any:
        if isinstance(value, str):
            return PLACE.sub("", VOLATILE.sub(placeholder, TOKENS.sub(open_token, value)))
        if isinstance(value, dict):
            return {name: normalise(each) for name, each in value.items() if name not in OURS}
        return value

    for exchange in exchanges:
        check_length(exchange)
        put_in_order(exchange)
    return [normalise(exchange) for exchange in exchanges]


def open_token(match: re.Match[str]) -> str:
    """The decoded page token if it is base64 text, else the token itself."""
    try:
        return match[1] + base64.b64decode(unquote(match[2]), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return match[0]


def check_length(exchange: Exchange) -> None:
    """Check the length of the response against Content-Length."""
    length = exchange.pop("length", None)
    said = exchange.get("headers", {}).get("content-length")
    if said is not None and exchange["method"] != "HEAD":
        assert int(said) == length, exchange


def put_in_order(exchange: Exchange) -> None:
    """Sort values without a defined order: allowed methods and entries of protobuf maps."""
    headers = exchange.get("headers", {})
    if "allow" in headers:
        headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
    for part in ("asked", "body"):
        if "/mlflow/traces" in exchange.get("path", "") and exchange[part].startswith("{"):
            exchange[part] = json.dumps(json.loads(exchange[part]), sort_keys=True)


def table(written: Transcripts) -> str:
    """The calls as a Markdown table.

    Raises:
        ValueError: a family was aborted.
    """
    calls: Counter[tuple[str, str]] = Counter()
    methods: dict[tuple[str, str], set[str]] = {}
    answers: dict[tuple[str, str], set[str]] = {}
    for family, exchanges in written.items():
        for exchange in exchanges:
            if "ended" in exchange:
                raise ValueError(f"{family}: {exchange['ended']}")
            row = (family, endpoint(exchange["path"]))
            calls[row] += 1
            methods.setdefault(row, set()).add(exchange["method"])
            answers.setdefault(row, set()).add(str(exchange["status"]))
    lines = ["| family | endpoint | methods | calls | answers |", "| --- | --- | --- | --: | --- |"]
    for row, count in calls.items():
        family, path = row
        cells = (family, f"`{path}`", joined(methods[row]), str(count), joined(answers[row]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def joined(values: set[str]) -> str:
    """The sorted values, separated by commas."""
    return ", ".join(sorted(values))


def endpoint(path: str) -> str:
    """The endpoint of `path`, without query, names and ids."""
    path = unquote(path.partition("?")[0])
    path = re.sub(r"(?<=/mlflow-artifacts/artifacts/).+", "{path}", path, flags=re.DOTALL)
    return re.sub(r"(?:[a-z]{1,2}-)?(?:<id\d+>|(?<=tr-)none)", "{id}", path)
