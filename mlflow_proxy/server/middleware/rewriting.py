"""Collects the body of a response, to rewrite it or to answer otherwise."""

from collections.abc import Awaitable, Callable

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send


def collecting(
    send: Send,
    applies: Callable[[Message], bool],
    finish: Callable[[Message, bytes], Awaitable[None]],
) -> Send:
    """A `send` that passes a response on, unless its start `applies`.

    Of such a response, `finish` gets the start and the complete body. It sends what is sent.
    """
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
        await finish(start, body)

    return send_or_collect


def rewriting(
    send: Send, applies: Callable[[MutableHeaders], bool], rewrite: Callable[[bytes], bytes]
) -> Send:
    """A `send` that applies `rewrite` to the complete body of a response whose headers allow it."""

    async def finish(start: Message, body: bytes) -> None:
        rewritten = rewrite(body)
        if rewritten != body:
            MutableHeaders(scope=start)["content-length"] = str(len(rewritten))
        await send(start)
        await send({"type": "http.response.body", "body": rewritten})

    return collecting(send, lambda start: applies(MutableHeaders(scope=start)), finish)
