"""What may pass to a tracking server and back: addresses below its own, headers of two lists."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urljoin, urlsplit

from yarl import URL

from mlflow_proxy.headers import DEFAULT_PORTS, LOCAL_ORIGIN, Headers, end_to_end

# Visible ASCII but `#`, which would end the query, and `\`, which some servers and all browsers
# read as a slash.
UNQUOTED = bytes(each for each in range(0x21, 0x7F) if each not in b"#\\")
PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._"  # RFC 3986, 3.3
MAX_DECODED = 8  # times that a path is decoded to find `..`; no server decodes so often

# A list of what is forbidden would miss the header in which some proxy says who the user is.
REQUEST_HEADERS = re.compile(
    # The last line is of the AI gateway's clients.
    r"accept|accept-encoding|accept-language|cache-control|pragma|range|if-[a-z-]+|user-agent"
    r"|content-(?:disposition|encoding|language|md5|range|type)"
    # But our own, and the AI gateway's other name of `Authorization`.
    r"|x-mlflow-(?!proxy-|authorization$)[\w-]+"
    r"|traceparent|tracestate|baggage|x-request-id|x-requested-with"
    r"|idempotency-key|openai-[\w-]+|anthropic-[\w-]+"
)
# No cookie, no demand for a password, no policy (ours apply), nothing that concerns a whole host:
# Strict-Transport-Security, Clear-Site-Data, Access-Control-Allow-Origin, Service-Worker-Allowed.
RESPONSE_HEADERS = re.compile(
    r"accept-ranges|age|allow|cache-control|etag|expires|last-modified|pragma|retry-after|vary"
    r"|content-(?:disposition|encoding|language|length|md5|range|type)"
    r"|x-mlflow-[\w-]+|x-request-id|openai-[\w-]+|anthropic-[\w-]+"
)


class RequestError(ValueError):
    """The request cannot be sent to the server; the message is for the client."""


@dataclass(frozen=True)
class ServerAddress:
    """Where a tracking server is; everything that is sent goes there, below `prefix`."""

    scheme: str
    host: str
    """With its port, if the address has one, as in the header `Host`."""
    prefix: str
    """Path without a slash at its end, percent-encoded; empty for the root."""
    user: str = ""
    password: str = field(default="", repr=False)
    api_prefix: str | None = None
    """Path below which the API for programs is, if that is not `prefix` but a beginning of it."""

    @classmethod
    def parse(cls, uri: str, clients_uri: str = "") -> "ServerAddress":
        """Parse a store URI; `clients_uri`, a beginning of it, is where clients find the server.

        Raises:
            ValueError: it is not the address of a server.
        """
        parts = urlsplit(uri)
        url = URL.build(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        if not url.host:
            raise ValueError("it has no host")
        if "?" in uri or "#" in uri:
            raise ValueError("it goes on after the path, with ? or #")
        prefix = quote(parts.path, safe=PATH_CHARACTERS).rstrip("/")
        if leaves(prefix):
            raise ValueError("its path has ..")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        api_prefix = None
        if uri.startswith(f"{clients_uri.rstrip('/')}/"):
            api_prefix = quote(urlsplit(clients_uri).path, safe=PATH_CHARACTERS).rstrip("/")
        return cls(url.scheme, url.raw_authority, prefix, user, password, api_prefix)

    def __str__(self) -> str:
        """The address without user and password."""
        return f"{self.scheme}://{self.host}{self.prefix}"

    @property
    def url(self) -> URL:
        """The address of the dashboard."""
        return URL(f"{self}/", encoded=True)

    def target(self, path: bytes, query: bytes = b"") -> URL:
        """The address of `path`, as received, below the dashboard's address.

        Raises:
            RequestError: it names another server, or may lead elsewhere than it seems to.
        """
        quoted = quote(path, safe=UNQUOTED)
        if not quoted.startswith("/") or leaves(quoted):
            raise RequestError("This path is not below the server's address.")
        is_apart = self.api_prefix is not None and quoted.startswith("/api/")
        prefix = self.api_prefix if is_apart else self.prefix
        address = f"{self.scheme}://{self.host}{prefix}{quoted}"
        return URL(f"{address}?{quote(query, safe=UNQUOTED)}", encoded=True)

    def location(self, requested: URL, location: str) -> str | None:
        """A redirect's `location` after `requested`, as MLflow on this machine would give it.

        The `/mlflow/` route makes Jupyter's address of that. None if it leads elsewhere.
        """
        # A server behind a proxy with TLS often believes that it is reached by http.
        port = DEFAULT_PORTS[self.scheme]
        own = rf"(?:http|{self.scheme})://{re.escape(self.host)}(?:{port})?{re.escape(self.prefix)}"
        below = rf"{own}/?(?P<path>(?<=/)[!-\[\]-~]*)?"
        found = re.fullmatch(below, urljoin(str(requested), location))
        path = (found["path"] or "") if found else ""
        return None if not found or leaves(re.split("[?#]", path)[0]) else f"{LOCAL_ORIGIN}/{path}"


def leaves(path: str) -> bool:
    """Whether a server may find a segment `..` in `path`, however it decodes it."""
    for _ in range(MAX_DECODED):
        segments = path.replace("\\", "/").split("/")
        # Some servers ignore what follows a semicolon.
        if any(segment.partition(";")[0].strip() == ".." for segment in segments):
            return True
        decoded = unquote(path, errors="surrogateescape")
        if decoded == path:
            return False
        path = decoded
    return True


def request_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers that the tracking server gets of a request, without those of its framing."""
    return _passing(headers, REQUEST_HEADERS)


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that the browser gets of a response, `Location` aside."""
    result = _passing(headers, RESPONSE_HEADERS)
    # A browser must not find a page in what is none: script would run as Jupyter's.
    result.append(("x-content-type-options", "nosniff"))
    return [(name.encode(), value.encode("latin-1")) for name, value in result]


def _passing(headers: Iterable[tuple[bytes, bytes]], pattern: re.Pattern[str]) -> Headers:
    decoded = [(name.decode("latin-1").lower(), v.decode("latin-1")) for name, v in headers]
    return [(name, value) for name, value in end_to_end(decoded) if pattern.fullmatch(name)]
