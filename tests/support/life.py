"""MLflow's life without Jupyter, in the loop of a test."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mlflow_proxy.life import Life
from mlflow_proxy.log import MLflowOutput
from mlflow_proxy.plugin import SERVER
from mlflow_proxy.process import MLflowCommand
from mlflow_proxy.status import Status


def store_in(folder: Path, store: str = "") -> dict[str, str]:
    """Variables of an MLflow with `store`, by default `mlflow.db` in `folder`."""
    store = store or f"sqlite:///{folder}/mlflow.db"
    return {
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_BACKEND_STORE_URI": store,
        "MLFLOW_REGISTRY_STORE_URI": store,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"{folder}/mlartifacts",
        "MLFLOW_ARTIFACTS_DESTINATION": f"{folder}/mlartifacts",
    }


@asynccontextmanager
async def life_of(
    folder: Path,
    *program: str,
    idle_timeout: float = 0.0,
    start_timeout: float = 60.0,
    store: str = "",
) -> AsyncIterator[Life]:
    """The life of `program`, of `store`, in `folder`; no process may be left at the end."""
    variables = store_in(folder, store)
    output = MLflowOutput()
    life = Life(
        command=MLflowCommand(program, folder, lambda: variables),
        status=Status(output.lines),
        output=output,
        start_timeout=start_timeout,
        idle_timeout=idle_timeout,
        record_activity=lambda: None,
        proxy_state={},
    )
    try:
        yield life
    finally:
        life.stop()
        await until(lambda: not life.status.processes)


def mlflow_in(folder: Path, python: str = sys.executable) -> tuple[str, ...]:
    """The program that is MLflow itself, run by `python`."""
    return python, "-u", str(SERVER), f"--root-dir={folder}"


async def until(is_so: Callable[[], bool], timeout: float = 30.0) -> None:
    """Wait until `is_so`."""

    async def wait() -> None:
        while not is_so():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), timeout)
