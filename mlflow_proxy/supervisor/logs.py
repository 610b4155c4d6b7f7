"""The log file: MLflow's output and the supervisor's messages, bounded in size."""

import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from mlflow_proxy.shared.addresses import LOG_NAME
from mlflow_proxy.shared.passwords import mask_passwords

MAX_BYTES = 1 << 20  # of the log; its one predecessor has as many
PAGE_LINES = 50  # kept for the page
LINE_LENGTH = 2000  # bytes of one line
OLD = 7 * 24 * 3600  # seconds without a message after which a log may be removed


class MLflowOutput:
    """Writes MLflow's output to the log, line by line, and keeps the last lines for the page."""

    def __init__(self, logger: logging.Logger) -> None:
        self.lines: deque[str] = deque(maxlen=PAGE_LINES)
        self._logger = logger
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Add output, in chunks of any size; `b""` ends the last line."""
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
    except OSError as error:  # MLflow can be shown without a writable home
        logging.getLogger(__name__).warning("Cannot write MLflow's log: %s", error)
    else:
        file.setFormatter(stderr.formatter)
        logging.getLogger().addHandler(file)
    return MLflowOutput(logging.getLogger("mlflow"))


def remove_old_logs(path: Path) -> None:
    """Remove the old logs of Jupyter servers that no longer run.

    Machines may share the folder. A server of another machine looks dead from here, so only old
    logs are removed.
    """
    for log, pid in _logs_beside(path):
        if log != path and not _is_running(pid) and time.time() - log.stat().st_mtime > OLD:
            log.unlink(missing_ok=True)


def _logs_beside(path: Path) -> Iterator[tuple[Path, int]]:
    for candidate in path.parent.iterdir():
        if match := LOG_NAME.fullmatch(candidate.name):
            yield candidate, int(match["pid"])


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
