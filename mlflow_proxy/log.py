"""The log file of MLflow and of its life in this Jupyter server, bounded in size."""

import contextlib
import io
import logging
import os
import re
import time
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.utils import check_pid

from .printable import escaped, mask_passwords

ROTATED = ".1"  # added to the name of a log for its predecessor, by `RotatingFileHandler`
LOG_NAME = re.compile(rf"mlflow-proxy-(?P<pid>\d+)\.log({re.escape(ROTATED)})?")
MAX_BYTES = 1 << 20  # of the log; its one predecessor has as many
PAGE_LINES = 50  # kept for the page
LINE_LENGTH = 2000  # characters of one line
MAX_UNMASKED = 256 << 10  # bytes of a line that are kept in memory until it is complete
OLD = 7 * 24 * 3600  # seconds without a message after which a log may be removed
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_logger = logging.getLogger("mlflow_proxy")  # of the whole package
_mlflow = logging.getLogger("mlflow_proxy.mlflow")


class MLflowOutput:
    """Writes MLflow's output to the log, line by line, and keeps the last lines for the page."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=PAGE_LINES)
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Add output, in chunks of any size; `b""` ends the last line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:MAX_UNMASKED]
        if self._rest and not data:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            masked = mask_passwords(line.decode(errors="replace").rstrip())
            text = escaped(masked, kept="\t")[:LINE_LENGTH]
            self.lines.append(text)
            _mlflow.info("%s", text)


def log_file() -> Path:
    """The log of MLflow in this Jupyter server."""
    return Path(jupyter_runtime_dir()) / f"mlflow-proxy-{os.getpid()}.log"


def set_up_logging(path: Path, jupyters: logging.Logger, *, all_to: bool = False) -> MLflowOutput:
    """Log to `path`, readable by its owner only; warnings (or all) also to the log `jupyters`."""
    forwarding = _Forwarding(jupyters)
    forwarding.setLevel(logging.INFO if all_to else logging.WARNING)
    _logger.handlers = [forwarding]
    _logger.setLevel(logging.INFO)
    _logger.propagate = False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_old_logs(path)
        file = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", delay=True)
    except OSError as error:  # MLflow can be shown without a writable home
        _logger.warning("Cannot write MLflow's log: %s", error)
    else:
        file.setFormatter(_Formatter(FORMAT))
        _logger.addHandler(file)
    return MLflowOutput()


class _Formatter(logging.Formatter):
    """Indents further lines of a record, which would otherwise look like records."""

    def format(self, record: logging.LogRecord) -> str:
        return _indented(super().format(record))


def _indented(text: str) -> str:
    return escaped(text).replace("\n", "\n    ")


class _Forwarding(logging.Handler):
    """Hands records to another logger."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._to = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = _indented(record.getMessage())
        self._to.log(record.levelno, "MLflow: %s", text, exc_info=record.exc_info)


class _PrivateFile(RotatingFileHandler):
    """A log whose files only their owner may read."""

    def _open(self) -> io.TextIOWrapper:
        Path(self.baseFilename).touch(0o600)
        return super()._open()


def end_of_log(log: Path, size: int) -> bytes:
    """The last lines of `log` and its predecessor, at most `size` bytes; empty without a log."""
    end = b""
    for file in (log, log.with_name(log.name + ROTATED)):
        with contextlib.suppress(FileNotFoundError):
            end = file.read_bytes() + end
    # The first line may be cut off, in the middle of a character.
    return end[-size:].partition(b"\n")[2] if len(end) > size else end


def remove_old_logs(path: Path) -> None:
    """Remove the old logs of Jupyter servers that no longer run.

    Machines may share the folder. A server of another machine looks dead from here, so only old
    logs are removed.
    """
    for log in path.parent.iterdir():
        match = LOG_NAME.fullmatch(log.name)
        is_of_dead = match and log != path and not check_pid(int(match["pid"]))
        if is_of_dead and time.time() - log.stat().st_mtime > OLD:
            log.unlink(missing_ok=True)
