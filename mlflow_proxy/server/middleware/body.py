"""Reads a request's body that is not used."""

from starlette.types import Message, Receive

from mlflow_proxy.headers import MAX_DISCARDED


async def discard_body(receive: Receive) -> None:
    """Read the body, up to a limit.

    A response before the body has arrived closes the connection, which tornado, still sending,
    often notices before it reads the response.
    """
    message: Message = {"more_body": True}
    received = 0
    while message.get("more_body") and received < MAX_DISCARDED:
        message = await receive()
        received += len(message.get("body", b""))
