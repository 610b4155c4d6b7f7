"""`prestart`: from the click to the dashboard, and what it costs the notebook's first cell.

    python tests/benchmarks/prestart.py --rounds 5

A notebook imports MLflow and logs its first run; some seconds later its user clicks the tile. With
`True`, MLflow is ready before the notebook starts. Every round measures all rows in turn; a ratio
is that to the row with `False`, paired by round. There is no pass or fail.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import rounds_of, run_python, tell, versions

from support.kernel import kernel
from support.lab import PAGE, TOKEN, Lab, lab_server
from support.waiting import wait_for

MAKE_STORE = "import mlflow; mlflow.MlflowClient().create_experiment('benchmark')"
IMPORT = "import mlflow"
RUN = "with mlflow.start_run(): mlflow.log_metric('accuracy', 0.9)"
POLL = 0.05  # seconds between requests
LIMIT = 180.0  # seconds until MLflow must be up


class Row(NamedTuple):
    """What is measured."""

    prestart: bool | str
    has_store: bool
    think: float
    """Seconds from the end of the cell to the click."""


class Figures(NamedTuple):
    """Seconds."""

    import_mlflow: float
    first_run: float
    click: float

    @property
    def cell(self) -> float:
        """The whole of the first cell."""
        return self.import_mlflow + self.first_run


ROWS = (
    Row(False, True, 10),
    Row(True, True, 10),
    Row("kernel", True, 10),
    Row(False, True, 0),
    Row("kernel", True, 0),
    Row(False, False, 0),
    Row("kernel", False, 0),
)


def main() -> int:
    """Measure and print."""
    rounds = rounds_of(__doc__, 5)
    found: dict[Row, list[Figures]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="mlflow-prestart-") as folder:
        base = Path(folder)
        run_python(MAKE_STORE, base, MLFLOW_TRACKING_URI=f"sqlite:///{base}/mlflow.db")
        for number in range(rounds + 1):  # one warm-up round for bytecode and page cache
            for row in ROWS:
                figures = measure(row, base)
                tell(f"round {number} of {rounds}, {row}: {figures}")
                if number:
                    found[row].append(figures)
    print(table(found))
    return 0


def measure(row: Row, base: Path) -> Figures:
    """Run the notebook and click in a new Lab."""
    home = Path(tempfile.mkdtemp(dir=base))
    root = home / "work"
    root.mkdir()
    if row.has_store:
        shutil.copy(base / "mlflow.db", root)
    with lab_server(
        home, config=f"c.MLflowProxy.prestart = {row.prestart!r}", root=root, program="lab"
    ) as lab:
        if row.prestart is True:
            wait_for(lambda: has_started(lab), LIMIT)
        with kernel(lab.url, TOKEN, "first.ipynb") as run:
            run("1")
            seconds = [seconds_of(lambda code=code: run(code)) for code in (IMPORT, RUN)]
            time.sleep(row.think)
            return Figures(*seconds, seconds_of(lambda: wait_for_dashboard(lab)))


def seconds_of(call: Callable[[], object]) -> float:
    """What `call` takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def has_started(lab: Lab) -> bool:
    """Whether MLflow was started without a request."""
    return lab.mlflow_log.exists() and "MLflow is ready" in lab.mlflow_log.read_text()


def wait_for_dashboard(lab: Lab) -> None:
    """Request the page until it is the dashboard in place of the loading page."""
    deadline = time.monotonic() + LIMIT
    while "data-state=" in (page := lab.get("/", headers=PAGE).text):
        assert time.monotonic() < deadline, page
        time.sleep(POLL)
    assert "<title>MLflow</title>" in page


def table(found: dict[Row, list[Figures]]) -> str:
    """Format the medians, in Markdown."""
    lines = [
        "| `prestart` | store | click after (s) | import (s) | first run (s) | both, x `False` "
        "| click to dashboard (s) | x `False` |",
        "| --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for row, rounds in found.items():
        plain = found[row._replace(prestart=False)]
        cell = median(a.cell / b.cell for a, b in zip(rounds, plain, strict=True))
        click = median(a.click / b.click for a, b in zip(rounds, plain, strict=True))
        lines.append(
            f"| `{row.prestart!r}` | {'existing' if row.has_store else 'new'} | {row.think:g} "
            f"| {median(each.import_mlflow for each in rounds):.2f} "
            f"| {median(each.first_run for each in rounds):.2f} | {cell:.2f} "
            f"| {median(each.click for each in rounds):.2f} | {click:.2f} |"
        )
    count = len(next(iter(found.values())))
    return "\n".join([*lines, "", f"Medians of {count} round(s). {versions()}"])


if __name__ == "__main__":
    sys.exit(main())
