"""Connections to MLflow's socket."""

import aiohttp

MAX_HEADER = 64 << 10  # bytes of one header of a response; aiohttp's default is 8 KiB


def session(path: str) -> aiohttp.ClientSession:
    """A session on the unix socket `path` that changes nothing of what it sends and receives."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(path, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )
