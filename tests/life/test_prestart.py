"""A start before the first use has low priority, and none follows a stop by the user."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import psutil

from mlflow_proxy.life import Life
from mlflow_proxy.status import State
from support.life import life_of, until
from support.server import STAND_INS


def is_in_background(life: Life) -> bool:
    return "--background" in psutil.Process(life.status.pids[-1]).cmdline()


def test_a_start_before_use_follows_an_idle_stop_only(tmp_path: Path) -> None:
    async def run() -> None:
        program = (sys.executable, str(STAND_INS / "serve.py"))
        async with life_of(tmp_path, *program, idle_timeout=0.2) as life:
            for start in (life.prestart, life.start):
                start()
                assert await life.ready()
                assert is_in_background(life) is (start == life.prestart)
                life.prestart()  # changes nothing
                assert life.status.state is State.READY
                await until(lambda: life.status.state is State.IDLE)
            life.start()
            assert await life.ready()
            life.stop()
            assert life.status.is_stopped_by_user
            life.prestart()
            assert life.status.state is State.IDLE

    asyncio.run(run())


def test_a_failed_start_is_not_repeated_before_use(tmp_path: Path) -> None:
    async def run() -> None:
        async with life_of(tmp_path, "/no/such/python") as life:
            life.prestart()
            assert await life.ready() is None
            assert life.status.state is State.FAILED
            life.prestart()
            assert life.status.state is State.FAILED

    asyncio.run(run())
