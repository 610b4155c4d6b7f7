"""Header translation between browser and MLflow."""

from urllib.parse import quote

import aiohttp
from tornado import httputil
from yarl import URL

from mlflow_proxy.headers import (
    FRAME_OPTIONS,
    LOCAL_HOST,
    LOCAL_ORIGIN,
    REDIRECTS,
    Headers,
    as_utf8,
    below,
    end_to_end,
)

ASCII = bytes(range(0x21, 0x7F))


def request_url(target: str) -> URL:
    """The address of `target`, as received: decoding and quoting it again would change a `%2F`."""
    path, _, query = quote(target.encode("latin-1"), safe=ASCII).partition("?")
    return URL.build(scheme="http", host=LOCAL_HOST, path=path, query_string=query, encoded=True)


def request_headers(headers: httputil.HTTPHeaders, prefix: str) -> Headers:
    """The headers for MLflow of a request that has passed Jupyter's checks.

    MLflow need not judge by what a proxy has made of Host and Origin, and no client can set them.
    """
    headers = headers.copy()
    headers["Host"] = LOCAL_HOST
    headers.pop("Sec-Fetch-Site", None)
    if "Origin" in headers:
        headers["Origin"] = LOCAL_ORIGIN
    for name in ("X-Forwarded-Context", "X-ProxyContextPath", "X-Forwarded-Prefix"):
        headers[name] = prefix
    kept = [(n, as_utf8(v)) for n, v in end_to_end(headers.get_all()) if n != "Expect"]
    # The connection is used once. But a server that knows closes it on a body that it does not
    # read, which discards its response.
    return [*kept, ("Connection", "keep-alive")]


def answer_headers(
    answer: aiohttp.ClientResponse, prefix: str, frame_ancestors: str
) -> httputil.HTTPHeaders:
    """The headers of `answer` for the browser; `frame_ancestors` says who may frame it."""
    headers = httputil.HTTPHeaders()
    raw = [(name.decode("latin-1"), v.decode("latin-1")) for name, v in answer.raw_headers]
    for name, value in end_to_end(raw):
        is_redirect = name.lower() == "location" and answer.status in REDIRECTS
        if name.lower() != FRAME_OPTIONS[0].lower():
            headers.add(name, below(prefix, value) if is_redirect else value)
    if frame_ancestors:
        headers.add("Content-Security-Policy", frame_ancestors)
    return headers
