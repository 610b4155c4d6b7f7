"""Generate tests/conformance.md, the table of compared calls: python tests/conformance/table.py."""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.conformance import transcripts
from support.lab import lab_server
from support.transcript import table

TABLE = Path(__file__).parents[1] / "conformance.md"
TEXT = """# Conformance

MLflow {release}'s own client made these calls to `mlflow server` and, by the Lab URL, to MLflow
behind this package. Both gave the same answers: status, headers and every byte of the body, with
placeholders for ids and times. `tests/lab/test_conformance.py` compares them,
`python tests/conformance/table.py` makes this table.

By design they differ in this:

- Jupyter's cookie, the `Server` and `Connection` headers and the like; the policy on artifacts.
- `/get-artifact`, which only the dashboard uses, names an artifact that is not there by its place
  in the run; `mlflow server` by its place among all artifacts.
- Unknown files below `/static-files`, which this package serves itself, have a plain 404.

{table}
"""


def main() -> int:
    """Run the families against both servers; write the table."""
    with tempfile.TemporaryDirectory(prefix="mlflow-conformance-") as folder:
        home = Path(folder) / "lab"
        home.mkdir()
        with lab_server(home) as lab:
            lab.wait_until("ready")
            plain, through_lab = transcripts(lab, Path(folder))
    if plain != through_lab:
        print("The answers differ: pytest tests/lab/test_conformance.py", file=sys.stderr)
        return 1
    release = ".".join(version("mlflow").split(".")[:2])
    text = TEXT.format(release=release, table=table(plain))
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
