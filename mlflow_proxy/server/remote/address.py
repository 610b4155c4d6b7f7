"""The tracking server's address, and which targets and redirects stay below it."""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urljoin, urlsplit

from yarl import URL

from mlflow_proxy.headers import DEFAULT_PORTS, LOCAL_ORIGIN

# What stays as it is: visible ASCII but `#`, which would end the query, and `\`, which some servers
# and all browsers read as a slash.
AS_IS = bytes(each for each in range(0x21, 0x7F) if each not in b"#\\")
PATH = "/%:@!$&'()*+,;=~-._"  # RFC 3986, 3.3
MAX_DECODED = 8  # times that a path is decoded to find `..`; no server decodes so often
# What browsers remove of an address: https://url.spec.whatwg.org/#concept-basic-url-parser
AROUND = "".join(map(chr, range(0x21)))
WITHIN = re.compile(r"[\t\r\n]")


class TargetError(ValueError):
    """The request's target is none below the server's address."""


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

    @classmethod
    def parse(cls, uri: str) -> "ServerAddress":
        """Parse a store URI.

        Raises:
            ValueError: it is no address of a server.
        """
        parts = urlsplit(uri)
        url = URL.build(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        if not url.host:
            raise ValueError("it has no host")
        if "?" in uri or "#" in uri:
            raise ValueError("it goes on after the path, with ? or #")
        prefix = quote(parts.path, safe=PATH).rstrip("/")
        if leaves(prefix):
            raise ValueError("its path has ..")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(url.scheme, url.raw_authority, prefix, user, password)

    def __str__(self) -> str:
        """The address without user and password."""
        return f"{self.scheme}://{self.host}{self.prefix}"

    @property
    def url(self) -> URL:
        """The address of the dashboard."""
        return URL(f"{self}/", encoded=True)

    def target(self, path: bytes, query: bytes = b"") -> URL:
        """The address of `path`, as received, below the dashboard's.

        Raises:
            TargetError: it is another server's, or could be one above the prefix.
        """
        quoted = quote(path, safe=AS_IS)
        if not quoted.startswith("/") or (self.prefix and leaves(quoted)):
            raise TargetError(quoted)
        return URL(f"{self}{quoted}?{quote(query, safe=AS_IS)}", encoded=True)

    def location(self, requested: URL, location: str) -> str | None:
        """A redirect's `location` after `requested`, as MLflow on this machine would give it.

        The `/mlflow/` route makes Jupyter's address of that. None if it leads elsewhere.
        """
        resolved = resolve(requested, location)
        parts = urlsplit(resolved)
        path = parts.path or "/"
        is_below = f"{path}/".startswith(f"{self.prefix}/")
        if not is_below or not self._is_own(parts.scheme, parts.netloc):
            return None
        below = path[len(self.prefix) :] or "/"
        if leaves(below):
            return None
        query = f"?{parts.query}" if parts.query else ""
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        return f"{LOCAL_ORIGIN}{below}{query}{fragment}"

    def _is_own(self, scheme: str, netloc: str) -> bool:
        # A server behind a proxy with TLS often believes that it is reached by http.
        if scheme not in (self.scheme, "http"):
            return False
        return _without_port(scheme, netloc) == _without_port(self.scheme, self.host)


def resolve(requested: URL, location: str) -> str:
    """The absolute address that a browser makes of a redirect's `location`."""
    location = WITHIN.sub("", location.strip(AROUND))
    path = re.split("[?#]", location, maxsplit=1)[0]
    location = path.replace("\\", "/") + location[len(path) :]
    return urljoin(str(requested), quote(location, safe=AS_IS + b"#"))


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


def _without_port(scheme: str, netloc: str) -> str:
    return netloc.lower().removesuffix(DEFAULT_PORTS[scheme])
