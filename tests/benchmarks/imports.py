"""Import time of MLflow, by package and with possible optimisations.

    python tests/benchmarks/imports.py --rounds 5

Most of MLflow's start is `import mlflow.server.fastapi_app`. Each round measures every way to run
it, each in a new process, relative to the unmodified import. Then the import time is listed by
package. There is no pass or fail.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from common import environment, rounds_of, run_python, tell, versions

# Without the interpreter's shutdown (up to a second), which is not part of a start.
IMPORT = "import os, mlflow.server.fastapi_app; os._exit(0)"
MAKE_STORE = "import mlflow; mlflow.MlflowClient().create_experiment('benchmark')"
OPEN = (
    "import mlflow.server.handlers as h; h.initialize_backend_stores('{uri}', '{uri}', '/tmp'); "
    "os._exit(0)"
)
OVERLAP = """
import sqlite3, threading
def look():
    sqlite3.connect({path!r}).execute("SELECT version_num FROM alembic_version").fetchall()
thread = threading.Thread(target=look)
thread.start()
"""
LARGEST = 12  # packages to print
IMPORTED = re.compile(r"^import time: +(\d+) \| +\d+ \| +(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Way:
    """One way to run the import."""

    name: str
    code: str = IMPORT
    options: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


def ways(base: Path) -> list[Way]:
    """All ways to measure, the unmodified import first."""
    uri = f"sqlite:///{base}/mlflow.db"
    stores = IMPORT.replace("os._exit(0)", OPEN.format(uri=uri))
    look = OVERLAP.format(path=str(base / "mlflow.db"))
    without = {"PYTHONPYCACHEPREFIX": str(base / "none"), "PYTHONDONTWRITEBYTECODE": "1"}
    own = {"PYTHONPYCACHEPREFIX": str(base / "own"), "PYTHONDONTWRITEBYTECODE": ""}
    smaller = {**own, "PYTHONPYCACHEPREFIX": str(base / "small"), "PYTHONNODEBUGRANGES": "1"}
    return [
        Way("as it is"),
        Way("garbage collector off", f"import gc; gc.disable(); {IMPORT}"),
        Way("in a thread of its own", in_thread(IMPORT)),
        Way("optimised bytecode (-O)", options=("-O",), variables=own),
        Way("bytecode without columns (-X no_debug_ranges)", variables=smaller),
        Way("no frozen modules (-X frozen_modules=off)", options=("-X", "frozen_modules=off")),
        Way("no compiled bytecode", variables=without),
        Way("and the existing store opened", stores),
        Way("the same, the store looked at meanwhile", look + stores),
    ]


def in_thread(code: str) -> str:
    """Code that runs `code` in another thread, as a background start does."""
    start = f"t = threading.Thread(target=exec, args=({code!r}, {{}}))"
    return f"import threading; {start}; t.start(); t.join()"


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 5)
    with tempfile.TemporaryDirectory(prefix="mlflow-imports-") as folder:
        base = Path(folder)
        run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
        tried = ways(base)
        seconds: dict[str, list[float]] = defaultdict(list)
        for number in range(rounds + 1):  # one warm-up round for bytecode and page cache
            for way in tried:
                took = run_python(way.code, base, *way.options, **way.variables)
                if number:
                    seconds[way.name].append(took)
            tell(f"round {number} of {rounds}")
        print(table(seconds))
        print(packages(base))
    return 0


def table(seconds: dict[str, list[float]]) -> str:
    """Format the medians, and the ratios to the first way, paired by round."""
    (first, *_) = seconds.values()
    lines = ["| import | s | x as it is |", "| --- | --: | --: |"]
    for name, figures in seconds.items():
        ratio = median(ours / theirs for ours, theirs in zip(figures, first, strict=True))
        lines.append(f"| {name} | {median(figures):.2f} | {ratio:.2f} |")
    return "\n".join([*lines, ""])


def packages(base: Path) -> str:
    """The import's own time by package, with the garbage collector off, in Markdown."""
    command = [sys.executable, "-X", "importtime", "-c", f"import gc; gc.disable(); {IMPORT}"]
    log = subprocess.run(command, check=True, cwd=base, env=environment(base), capture_output=True)
    own: dict[str, float] = defaultdict(float)
    modules: dict[str, int] = defaultdict(int)
    for microseconds, name in IMPORTED.findall(log.stderr.decode()):
        package = name.partition(".")[0]
        own[package] += int(microseconds) / 1e6
        modules[package] += 1
    lines = ["| package | modules | own time (s) |", "| --- | --: | --: |"]
    for package in sorted(own, key=lambda name: -own[name])[:LARGEST]:
        lines.append(f"| {package} | {modules[package]} | {own[package]:.2f} |")
    whole = f"{sum(modules.values())} modules, {sum(own.values()):.2f} s with the profiler."
    return "\n".join([*lines, "", whole, versions()])


if __name__ == "__main__":
    sys.exit(main())
