"""Rewrites the body of a response."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send


def rewriting(
    send: Send, applies: Callable[[MutableHeaders], bool], rewrite: Callable[[bytes], bytes]
) -> Send:
    """A `send` that applies `rewrite` to the complete body of a response whose headers allow it."""
    start: Message = {}
    chunks: list[bytes] = []

    async def send_or_collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            if applies(MutableHeaders(scope=message)):
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
