"""Rewrites whole bodies, of requests and of responses, and answers with an error."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Send


def error_response(status: HTTPStatus, code: str, message: str) -> JSONResponse:
    """Answer a program as MLflow reports errors; its routes write the message as one or the other.

    `code` is one of MLflow's names of errors.
    """
    told = {"error_code": code, "message": message, "detail": message}
    return JSONResponse(told, status, {"Cache-Control": "no-store"})


def with_body(body: bytes, receive: Receive) -> Receive:
    """A `receive` that yields `body`, then what `receive` yields."""
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def is_json(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" and "content-encoding" not in headers


def is_api_response(start: Message) -> bool:
    """Whether a response begins that is the API's JSON, not an artifact that is JSON."""
    headers = Headers(raw=start["headers"])
    return is_json(headers) and "content-disposition" not in headers


def rewriting(
    send: Send, applies: Callable[[Message], bool], rewrite: Callable[[bytes], bytes]
) -> Send:
    """A `send` that applies `rewrite` to the complete body of a response whose start `applies`."""
    start: Message = {}
    chunks: list[bytes] = []

    async def send_or_collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            if applies(message):
                start.update(message)
                return
        if not start:
            await send(message)
            return
        chunks.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = b"".join(chunks)
        chunks.clear()
        rewritten = rewrite(body)
        if rewritten != body:
            MutableHeaders(scope=start)["content-length"] = str(len(rewritten))
        await send(start)
        await send({"type": "http.response.body", "body": rewritten})

    return send_or_collect


def rewriting_json(
    send: Send, applies: Callable[[Message], bool], change: Callable[[Any], Any]
) -> Send:
    """`rewriting` of JSON; unchanged if `change` returns None or finds another shape than its own.

    It finds that by a `KeyError` or `TypeError`.
    """

    def rewrite(body: bytes) -> bytes:
        try:
            changed = change(json.loads(body))
        except (KeyError, TypeError, ValueError):
            return body
        return body if changed is None else json.dumps(changed).encode()

    return rewriting(send, applies, rewrite)
