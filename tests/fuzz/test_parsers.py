"""Parsers get input that no client sends; the examples are the same in every run."""

from __future__ import annotations

import itertools
from urllib.parse import urljoin, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.datastructures import MutableHeaders

from mlflow_proxy.headers import (
    HOP_BY_HOP,
    LOCAL_HOST,
    LOCAL_ORIGIN,
    as_utf8,
    below,
    end_to_end,
    is_own_origin,
)
from mlflow_proxy.log import LINE_LENGTH, PAGE_LINES, MLflowOutput
from mlflow_proxy.printable import mask_passwords
from mlflow_proxy.server.middleware.security import NO_ORIGIN, make_local

settings.register_profile("tests", derandomize=True, database=None, deadline=None, max_examples=300)
settings.load_profile("tests")

TOKEN = st.text("!#$%&'*+-.^_`|~abcXYZ019", min_size=1, max_size=20)  # RFC 9110, 5.6.2
VISIBLE = [chr(code) for code in range(0x21, 0x100) if code != 0x7F]
VALUE = st.text([*VISIBLE, " ", "\t"], max_size=50).map(str.strip)


# Headers on their way through Jupyter

LISTS = st.lists(
    st.tuples(st.one_of(TOKEN, st.sampled_from(sorted(HOP_BY_HOP))), VALUE), max_size=8
)


@given(LISTS, st.lists(TOKEN, max_size=3), st.sampled_from(["Connection", "connection"]))
def test_only_headers_of_one_connection_are_removed(
    headers: list[tuple[str, str]], named: list[str], connection: str
) -> None:
    headers = [(n, v) for n, v in headers if n.lower() != "connection"]
    kept = end_to_end([*headers, (connection, " , ".join(named))])
    out = HOP_BY_HOP | {name.lower() for name in named}
    assert kept == [(name, value) for name, value in headers if name.lower() not in out]
    assert end_to_end(kept) == kept


@given(st.text(max_size=30), st.sampled_from(["/a/mlflow", "/mlflow"]))
@example("/\\evil.example", "/mlflow")
@example("//evil.example", "/mlflow")
def test_a_redirect_to_a_path_stays_below(location: str, prefix: str) -> None:
    led = below(prefix, location)
    if location.startswith("/") and not location.startswith("//"):
        assert led == prefix + location
        assert urlsplit(urljoin("http://lab", led)).netloc == "lab"
    else:
        assert led == location


@given(st.text(max_size=30), st.sampled_from(["/a/mlflow", "/mlflow"]))
@example("/evil.example", "/mlflow")
def test_a_redirect_to_the_origin_that_mlflow_sees_stays_below(path: str, prefix: str) -> None:
    led = below(prefix, f"http://localhost/{path}")
    assert led == f"{prefix}/{path}"
    assert urlsplit(urljoin("http://lab", led)).netloc == "lab"


@given(st.binary(max_size=50))
def test_utf8_survives_tornado_and_aiohttp(value: bytes) -> None:
    sent = as_utf8(value.decode("latin-1")).encode()
    try:
        value.decode()
    except UnicodeError:
        assert sent.decode() == value.decode("latin-1")
    else:
        assert sent == value


# Host and Origin

NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,10}[a-z0-9])?", fullmatch=True)
PORT = st.sampled_from(["", ":80", ":443", ":8888"])
SCHEME = st.sampled_from(["http", "https"])
DEFAULT = {"http": ":80", "https": ":443"}


@given(SCHEME, NAME, PORT, NAME, PORT)
def test_an_origin_is_own_only_with_the_same_host_and_port(
    scheme: str, page: str, page_port: str, host: str, host_port: str
) -> None:
    origin = f"{scheme}://{page}{page_port}"
    assert is_own_origin(origin, f"{page}{page_port}".upper())
    ports = [port.replace(DEFAULT[scheme], "") for port in (page_port, host_port)]
    expected = page == host and ports[0] == ports[1]
    assert is_own_origin(origin, f"{host}{host_port}") == expected


HOST = st.one_of(st.binary(max_size=20), NAME.map(str.encode), st.just(b"lab.example"))
ORIGIN = st.one_of(
    st.binary(max_size=30),
    st.tuples(st.sampled_from([b"http://", b"https://", b"//", b"null"]), HOST).map(b"".join),
)


@given(ORIGIN, HOST)
@example(b"https://lab.example@evil.example", b"lab.example")
@example(b"https://lab.example/", b"lab.example")
@example(b"https://lab.example\n", b"lab.example")
def test_no_other_origin_is_taken_for_the_own(origin: bytes, host: bytes) -> None:
    if is_own_origin(origin.decode("latin-1"), host.decode("latin-1")):
        parts = urlsplit(origin.decode("latin-1").lower())
        assert parts.scheme in DEFAULT
        assert not parts.path
        port = DEFAULT[parts.scheme]
        asked = host.decode("latin-1").lower()
        assert parts.netloc.removesuffix(port) == asked.removesuffix(port)


FIELD = st.one_of(
    st.tuples(st.just(b"host"), HOST),
    st.tuples(st.just(b"origin"), ORIGIN),
    st.tuples(st.sampled_from([b"accept", b"x"]), st.binary(max_size=5)),
)


@given(st.lists(FIELD, max_size=6))
def test_mlflow_sees_one_local_host_and_at_most_one_origin(
    headers: list[tuple[bytes, bytes]],
) -> None:
    mapped = MutableHeaders(raw=list(headers))
    make_local(mapped)
    others = [header for header in headers if header[0] not in (b"host", b"origin")]
    kept = [header for header in mapped.raw if header[0] not in (b"host", b"origin")]
    assert kept == others
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    origins = [value.decode("latin-1") for name, value in headers if name == b"origin"]
    assert mapped.getlist("host") == [LOCAL_HOST]
    own = len(hosts) == len(origins) == 1 and is_own_origin(origins[0], hosts[0])
    expected = [LOCAL_ORIGIN if own else NO_ORIGIN] if origins else []
    assert mapped.getlist("origin") == expected


# The log

USER = st.text("abcXYZ019%-_.", max_size=10)
PASSWORD = st.text("abcXYZ019%-_.:@/!'\"=&?#[]{}", min_size=1, max_size=20).map("hunter".__add__)
AROUND = st.text("abc \n\t'\"(", max_size=10)


@given(AROUND, st.sampled_from(["http", "mysql+pymysql", "s3"]), USER, PASSWORD, AROUND)
def test_no_password_of_a_uri_is_logged(
    before: str, scheme: str, user: str, password: str, after: str
) -> None:
    text = f"{before}{scheme}://{user}:{password}@host/db {after}"
    assert mask_passwords(text) == f"{before}{scheme}://{user}:***@host/db {after}"


@given(st.text(max_size=50))
def test_masking_is_idempotent(text: str) -> None:
    assert mask_passwords(mask_passwords(text)) == mask_passwords(text)


@given(st.text(st.characters(exclude_characters="@="), max_size=50))
def test_a_text_without_uri_and_parameter_is_not_masked(text: str) -> None:
    assert mask_passwords(text) == text


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_output_has_the_same_lines_however_it_is_split(data: bytes, cuts: list[int]) -> None:
    def lines(pieces: list[bytes]) -> list[str]:
        output = MLflowOutput()
        for piece in pieces:
            if piece:
                output.write(piece)
        output.write(b"")
        return list(output.lines)

    borders = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(borders)]
    assert lines(pieces) == lines([data])
    assert len(lines([data])) <= PAGE_LINES
    assert all(len(line) <= LINE_LENGTH and "\n" not in line for line in lines([data]))
