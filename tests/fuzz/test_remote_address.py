"""Whatever a browser or a tracking server says, requests go to the one server, below its path."""

from __future__ import annotations

from urllib.parse import unquote, urljoin, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlflow_proxy.headers import below
from mlflow_proxy.server.remote.boundary import (
    REQUEST_HEADERS,
    RequestError,
    ServerAddress,
    request_headers,
)

SERVERS = [
    ServerAddress.parse(uri)
    for uri in ("http://host", "https://host:5000/team/mlflow", "http://[::1]:5000/a%20b")
]
# What has a meaning in an address, in all its spellings, and anything else.
PIECES = (
    r"/ // \ .. . %2e %2E%2e %252e %2f %5c % @ : ; ? # & = [::1] :5000 %00 %c0%ae ä host "
    r"evil.example http: https:// javascript: team/mlflow static-files"
)
PIECE = st.sampled_from([*PIECES.split(), *"\t\n\0 "])
WILD = st.lists(st.one_of(PIECE, st.text(max_size=3)), max_size=12).map("".join)
SERVER = st.sampled_from(SERVERS)


def is_below(server: ServerAddress, url: str) -> bool:
    """Whether a browser or a server, which decodes and resolves, finds `url` below `server`."""
    prefix = server.prefix
    for _ in range(3):
        parts = urlsplit(urljoin(url, url.replace("\\", "/")))
        resolved = urlsplit(urljoin(f"{server}/", parts.path))
        if (parts.scheme, parts.netloc) != (server.scheme, server.host):
            return False
        if not f"{resolved.path}/".startswith((f"{server.prefix}/", f"{prefix}/")):
            return False
        url = f"{parts.scheme}://{parts.netloc}{unquote(parts.path).replace('?', '')}"
        prefix = unquote(prefix)
    return True


@settings(max_examples=1000, derandomize=True, database=None, deadline=None)
@given(SERVER, WILD, WILD)
@example(SERVERS[1], "/../x", "")
@example(SERVERS[1], "//evil.example/x", "")
@example(SERVERS[0], "@evil.example", "")
@example(SERVERS[0], ":80@evil.example", "")
@example(SERVERS[2], "/%252e", "")
def test_a_target_stays_below_the_server(server: ServerAddress, path: str, query: str) -> None:
    try:
        url = server.target(path.partition("?")[0].encode(), query.encode())
    except RequestError:
        return
    assert (url.scheme, url.raw_authority) == (server.scheme, server.host)
    assert url.user is None
    assert url.fragment == ""
    line = url.raw_path_qs
    assert line.startswith(f"{server.prefix}/")
    assert line.isascii()
    assert line.isprintable()
    assert not set(line) & set(' #\\"<>\n\r\t') - set('"<>')
    if server.prefix:
        assert is_below(server, str(url))


@settings(max_examples=1000, derandomize=True, database=None, deadline=None)
@given(SERVER, st.sampled_from([b"/", b"/a", b"/a/b/", b"/a//b", b"/a%2Fb"]), WILD)
@example(SERVERS[0], b"/a", "//evil.example")
@example(SERVERS[1], b"/a", "/team/mlflow//evil.example")
@example(SERVERS[1], b"/", "/team/mlflow/javascript:x")
def test_a_redirect_stays_below_the_dashboard(
    server: ServerAddress, requested: bytes, location: str
) -> None:
    own = server.location(server.target(requested), location)
    if own is None:
        return
    # As the `/mlflow/` route sends it and the browser resolves it.
    sent = below("/user/me/mlflow", own)
    assert sent.startswith("/user/me/mlflow/")
    assert resolved(sent).startswith("/user/me/mlflow/")
    assert sent.isascii()
    assert sent.isprintable()


def resolved(location: str) -> str:
    """The path that a browser makes of that of `location`."""
    segments: list[str] = []
    for segment in location.partition("?")[0].partition("#")[0].replace("\\", "/").split("/"):
        plain = segment.lower().replace("%2e", ".")
        if plain == "..":
            segments.pop()
        elif plain != ".":
            segments.append(segment)
    if plain in (".", ".."):
        segments.append("")
    return "/".join(segments)


NAME = st.text("abcXYZ019-_", min_size=1, max_size=12)


@settings(max_examples=500, derandomize=True, database=None, deadline=None)
@given(st.lists(st.tuples(NAME, st.text(max_size=10)), max_size=8))
def test_only_known_headers_pass(headers: list[tuple[str, str]]) -> None:
    always = [("Cookie", "x"), ("Authorization", "x"), ("Host", "evil"), ("Content-Length", "1")]
    always += [("X-MLflow-Authorization", "x"), ("X-MLflow-Proxy-Idle", "1")]
    raw = [(name.encode(), value.encode()) for name, value in [*headers, *always]]
    names = {name for name, _ in request_headers(raw)}
    assert all(REQUEST_HEADERS.fullmatch(name) for name in names)
    assert not names & {"cookie", "authorization", "host", "content-length", "transfer-encoding"}
    assert not names & {"x-mlflow-authorization", "x-mlflow-proxy-idle"}
