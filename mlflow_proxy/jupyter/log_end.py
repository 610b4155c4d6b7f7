"""The end of the log of MLflow and the supervisor."""

from pathlib import Path

from mlflow_proxy.shared.addresses import ROTATED


def end_of_log(log: Path, size: int) -> bytes:
    """The last lines of `log` and its predecessor, at most `size` bytes; empty without a log."""
    end = _end_of(log, size)
    end = _end_of(log.with_name(log.name + ROTATED), size - len(end)) + end
    # The first line may be cut off, in the middle of a character.
    return end.partition(b"\n")[2] if len(end) == size else end


def _end_of(file: Path, size: int) -> bytes:
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - size))
            return opened.read(size)
    except FileNotFoundError:
        return b""
