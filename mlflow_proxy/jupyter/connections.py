"""Connections to MLflow's socket."""

import atexit

import aiohttp

from mlflow_proxy.shared.headers import KEEP_ALIVE

MAX_HEADER = 64 << 10  # bytes of one header of a response; aiohttp's default is 8 KiB


def session(path: str, *, keep: bool = False) -> aiohttp.ClientSession:
    """A session on the unix socket `path` that changes nothing of what it sends and receives.

    With `keep`, connections are used again until they have not been used for `KEEP_ALIVE` seconds,
    and the session is closed when Jupyter exits.
    """
    how = {"keepalive_timeout": KEEP_ALIVE} if keep else {"force_close": True}
    connector = aiohttp.UnixConnector(path, **how)
    if keep:
        atexit.register(connector.close)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
