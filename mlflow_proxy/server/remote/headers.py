"""Which headers pass: those of MLflow's clients and of its answers, and no others.

A list of what is forbidden would miss the header in which some proxy says who the user is.
"""

import re
from collections.abc import Iterable

from mlflow_proxy.addresses import IDLE_HEADER
from mlflow_proxy.headers import end_to_end

RawHeaders = list[tuple[bytes, bytes]]

REQUEST = re.compile(
    # The last ones are of the AI gateway's clients.
    r"accept|accept-encoding|accept-language|cache-control|pragma|range|if-[a-z-]+|user-agent"
    r"|content-(?:disposition|encoding|language|md5|range|type)"
    r"|x-mlflow-[\w-]+|traceparent|tracestate|baggage|x-request-id|x-requested-with"
    r"|idempotency-key|openai-[\w-]+|anthropic-[\w-]+"
)
# Ours, and the gateway's other name of `Authorization`.
NEVER_SENT = frozenset({IDLE_HEADER.lower(), "x-mlflow-authorization"})
# No cookie, no demand for a password, no policy (ours apply), nothing that concerns a whole host:
# Strict-Transport-Security, Clear-Site-Data, Access-Control-Allow-Origin, Service-Worker-Allowed.
RESPONSE = re.compile(
    r"accept-ranges|age|allow|cache-control|etag|expires|last-modified|pragma|retry-after|vary"
    r"|content-(?:disposition|encoding|language|length|md5|range|type)"
    r"|x-mlflow-[\w-]+|x-request-id|openai-[\w-]+|anthropic-[\w-]+"
)


def request_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """The headers that the tracking server gets of a request, without those of its framing."""
    result = _passing(headers, REQUEST)
    return [(name, value) for name, value in result if name not in NEVER_SENT]


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """The headers that the browser gets of a response, `Location` aside."""
    result = _passing(headers, RESPONSE)
    # A browser must not find a page in what is none: script would run as Jupyter's.
    result.append(("x-content-type-options", "nosniff"))
    return [(name.encode(), value.encode("latin-1")) for name, value in result]


def _passing(
    headers: Iterable[tuple[bytes, bytes]], pattern: re.Pattern[str]
) -> list[tuple[str, str]]:
    decoded = [(name.decode("latin-1").lower(), v.decode("latin-1")) for name, v in headers]
    return [(name, value) for name, value in end_to_end(decoded) if pattern.fullmatch(name)]
