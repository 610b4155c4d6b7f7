"""The log file: what MLflow prints and what the supervisor does, bounded in size."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from mlflow_proxy.passwords import mask_passwords

MAX_BYTES = 1 << 20  # of the log and of its one predecessor, each
PAGE_LINES = 50  # kept for the page
LINE_LENGTH = 2000  # bytes of one line
OLD = 7 * 24 * 3600  # seconds without a word after which a log may be removed


class MLflowOutput:
    """What MLflow printed: goes to the log line by line, the last lines are kept for the page."""

    def __init__(self, logger: logging.Logger) -> None:
        self.lines: deque[str] = deque(maxlen=PAGE_LINES)
        self._logger = logger
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take what MLflow printed, in pieces of any size; `b""` ends the last line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._rest and (not data or len(self._rest) > LINE_LENGTH):
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            text = mask_passwords(line.decode(errors="replace").rstrip())[:LINE_LENGTH]
            self.lines.append(text)
            self._logger.info(text)


def set_up_logging(path: Path) -> MLflowOutput:
    """Log to `path`, readable by its owner only; warnings also to Jupyter's own log (stderr)."""
    stderr = logging.StreamHandler()
    stderr.setLevel(logging.WARNING)
    logging.basicConfig(
        level=logging.INFO,
        handlers=[stderr],
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_old_logs(path)
        file = RotatingFileHandler(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8")
    except OSError as error:  # a home that cannot be written to is no reason not to show MLflow
        logging.getLogger(__name__).warning("MLflow's log cannot be kept: %s", error)
    else:
        file.setFormatter(stderr.formatter)
        logging.getLogger().addHandler(file)
    return MLflowOutput(logging.getLogger("mlflow"))


def remove_old_logs(path: Path) -> None:
    """Remove the old logs of Jupyter servers that no longer run.

    Machines may share the folder: a server of another one looks dead from here, so its log must be
    old, too.
    """
    for log, pid in _logs_beside(path):
        if log != path and not _is_running(pid) and time.time() - log.stat().st_mtime > OLD:
            log.unlink(missing_ok=True)


def _logs_beside(path: Path) -> Iterator[tuple[Path, int]]:
    for candidate in path.parent.glob("mlflow-proxy-*.log*"):
        if match := re.fullmatch(r"mlflow-proxy-(\d+)\.log(\.1)?", candidate.name):
            yield candidate, int(match[1])


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
