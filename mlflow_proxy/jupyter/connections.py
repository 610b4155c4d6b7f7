"""Connections to MLflow's socket."""

import atexit
import functools
from contextlib import AbstractAsyncContextManager, nullcontext

import aiohttp

from mlflow_proxy.shared.headers import KEEP_ALIVE

MAX_HEADER = 64 << 10  # bytes of one header of a response; aiohttp's default is 8 KiB


def session(path: str) -> aiohttp.ClientSession:
    """A session on the unix socket `path` that changes nothing of what it sends and receives.

    Each of its connections is used once.
    """
    return _session(aiohttp.UnixConnector(path, force_close=True))


@functools.cache
def kept_session(path: str) -> aiohttp.ClientSession:
    """Such a session that all requests share, until Jupyter exits.

    Its connections are used again until they have not been used for `KEEP_ALIVE` seconds.
    """
    # Without a limit: event streams stay open.
    connector = aiohttp.UnixConnector(path, keepalive_timeout=KEEP_ALIVE, limit=0)
    atexit.register(connector.close)
    return _session(connector)


def session_for_request(
    path: str, *, keep: bool
) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
    """The kept session, or one that ends with its context."""
    return nullcontext(kept_session(path)) if keep else session(path)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
