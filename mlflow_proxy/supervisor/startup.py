"""Follows a start of MLflow, or a repair of its store, by what the process reports."""

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path

from mlflow_proxy.shared import reports
from mlflow_proxy.shared.passwords import mask_passwords
from mlflow_proxy.shared.reports import Failure

from . import interpreter
from .logs import MLflowOutput
from .mlflow_process import MLflowCommand, MLflowProcess
from .state import Status, describe_exit, failure_of_exit


async def start(
    command: MLflowCommand, listener: socket.socket, output: MLflowOutput, *options: str
) -> MLflowProcess | Failure:
    """Start MLflow with additional `options`; returns the failure if that is impossible."""
    if command.misconfiguration:
        return command.misconfiguration
    try:
        return await MLflowProcess.start(command, listener, output, *options)
    except OSError as error:
        if command.folder.is_dir():
            return interpreter.cannot_run(command.program[0], error)
    return Failure(
        f"Jupyter's root folder, {command.folder}, does not exist.",
        "Put it back: MLflow is then started by its next use.",
    )


async def follow(
    process: MLflowProcess, status: Status, timeout: float | None = None
) -> Failure | None:
    """Record in `status` what `process` reports; None once it is ready or has repaired.

    `timeout` is in seconds.
    """
    following = asyncio.ensure_future(_follow(process, status))
    try:
        # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes with the result.
        if (await asyncio.wait([following], timeout=timeout))[0]:
            return following.result()
    finally:
        following.cancel()
    return Failure(
        f"MLflow was not ready within {timeout:g} seconds.",
        "If the machine or the database is slow, raise c.MLflowProxy.start_timeout.",
    )


async def _follow(process: MLflowProcess, status: Status) -> Failure | None:
    has_reported = False
    while report := await process.next_report():
        has_reported = True
        match report:
            case reports.StaticFolder(folder):
                status.static_folder = Path(folder)
            case reports.Version(version):
                status.version = version
            case reports.StageEntered(stage, step):
                status.progress.enter(stage, step)
            case reports.ModulesImported(count):
                status.progress.imported(count)
            case reports.Failure(reason, remedy):
                reason, remedy = mask_passwords(reason), mask_passwords(remedy)
                return replace(report, reason=reason, remedy=remedy)
            case reports.Ready():
                status.progress.finish()
                return None
            case reports.Repaired():
                return None
    returncode = await process.wait()
    if has_reported or process.was_killed:
        return failure_of_exit(returncode)
    return interpreter.reported_nothing(describe_exit(returncode))


def naming_copies(failure: Failure, copies: tuple[str, ...]) -> Failure:
    """Add to the remedy where the copies of the databases are that exist."""
    for copy in copies:
        if copy not in failure.remedy and os.path.exists(copy):
            kept = f"The database as it was is kept at {copy}."
            failure = replace(failure, remedy=f"{failure.remedy}\n{kept}")
    return failure
