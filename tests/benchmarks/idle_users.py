"""Memory of idle users: 20 supervisors on one machine, MLflow stopped.

    python tests/benchmarks/idle_users.py

The figure for plain entries is calculated from one, which `start.py` measures. Linux only.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import versions

from support.supervisor import Supervisor, supervisor_of

PLAIN = 2470.0  # MB (PSS) of one plain entry, by start.py
HEAD = """\
| | one user (MB) | {users} users (MB) |
| --- | --: | --: |"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, default=20, help="number of users")
    parser.add_argument("--plain", type=float, default=PLAIN, help="MB of a plain entry")
    options = parser.parse_args()
    if options.users < 1:
        parser.error("--users takes 1 or more")
    total = memory_of_supervisors(options.users)
    print(HEAD.format(users=options.users))
    print(f"| supervisors, MLflow stopped | {total / options.users:.1f} | {total:.0f} |")
    print(
        f"| plain entries, calculated | {options.plain:.0f} | {options.users * options.plain:.0f} |"
    )
    print(f"\nMemory as PSS. {versions()}")
    return 0


def memory_of_supervisors(count: int) -> float:
    """Total MB (PSS) of `count` supervisors, each with its own folders."""
    with tempfile.TemporaryDirectory(prefix="mlflow-idle-") as base, ExitStack() as stack:
        supervisors = []
        for number in range(count):
            folder = Path(base) / str(number)
            folder.mkdir()
            supervisors.append(stack.enter_context(supervisor_of("silent", folder)))
        for supervisor in supervisors:
            use(supervisor)
        return sum(map(memory, supervisors))


def use(supervisor: Supervisor) -> None:
    """Send typical requests once the child has ended."""
    supervisor.wait_until("failed")
    supervisor.request("/", headers={"Accept": "text/html"})
    supervisor.request("/api/x")


def memory(supervisor: Supervisor) -> float:
    """MB (PSS) of `supervisor`, which has no children."""
    process = psutil.Process(supervisor.process.pid)
    assert not process.children()
    return float(process.memory_full_info().pss) / 1e6


if __name__ == "__main__":
    sys.exit(main())
