"""The supervisor's HTTP parser."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest

from mlflow_proxy.supervisor.front.http import MAX_HEAD, BadRequestError, parse_head, read_request


def test_a_request_is_parsed() -> None:
    request = parse_head(b"GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nACCEPT:  text/html \r\n\r\n")
    assert (request.method, request.path) == ("GET", "/a%20b")
    assert request.headers == {"host": "x", "accept": "text/html"}
    assert request.wants_page


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nAccept: application/json\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nAccept: text/html\r\n\r\n",
    ],
)
def test_only_get_with_accept_html_gets_a_page(head: bytes) -> None:
    assert not parse_head(head).wants_page


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\n\r\n",
        b"GET / / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\r\n\r\n",
    ],
)
def test_malformed_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_head(head)
    assert caught.value.status is HTTPStatus.BAD_REQUEST


def test_oversized_head_is_refused() -> None:
    async def read() -> None:
        reader = asyncio.StreamReader(limit=MAX_HEAD)
        reader.feed_data(b"GET / HTTP/1.1\r\nX: " + 2 * MAX_HEAD * b"x")
        await read_request(reader)

    with pytest.raises(BadRequestError) as caught:
        asyncio.run(read())
    assert caught.value.status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_disconnect_within_the_head_is_no_request() -> None:
    async def read() -> object:
        reader = asyncio.StreamReader()
        reader.feed_data(b"GET / HT")
        reader.feed_eof()
        return await read_request(reader)

    assert asyncio.run(read()) is None
