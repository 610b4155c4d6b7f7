"""A start of MLflow, or an upgrade of its database, by what the process reports."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mlflow_proxy.passwords import mask_passwords

from .child import MLflowChild
from .state import Failure, Status


async def follow(
    child: MLflowChild, status: Status, timeout: float | None = None
) -> Failure | None:
    """Follow what `child` reports into `status`, until it is up (None) or cannot be (why).

    `timeout` is in seconds.
    """
    following = asyncio.ensure_future(_follow(child, status))
    try:
        # Not `wait_for`: until Python 3.12 it swallows a cancellation that comes with the result.
        if (await asyncio.wait([following], timeout=timeout))[0]:
            return following.result()
    finally:
        following.cancel()
    return Failure(
        f"MLflow did not come up within {timeout:g} seconds.",
        "If the machine or the database is slow, raise c.MLflowProxy.start_timeout.",
    )


async def _follow(child: MLflowChild, status: Status) -> Failure | None:
    progress = status.progress
    while report := await child.next_report():
        match report:
            case {"event": "static", "folder": folder}:
                status.static_folder = Path(folder)
            case {"event": "stage", "stage": stage, "text": text}:
                progress.enter(stage, text)
            case {"event": "modules", "count": count}:
                progress.imported(count)
            case {"event": "failed", "reason": reason, "remedy": remedy, **rest}:
                upgrade = rest.get("upgrade")
                return Failure(mask_passwords(reason), mask_passwords(remedy), upgrade)
            case {"event": "ready"}:
                progress.finish()
                return None
            case {"event": "upgraded"}:
                return None
    return Failure.of_exit(await child.wait())
