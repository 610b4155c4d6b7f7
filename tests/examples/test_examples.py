"""The example notebooks run in the Lab, and what they log is in the dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Executed = Callable[[str], Any]
A_WARNING = re.compile(r"Warning: | WARNING ")


@pytest.mark.parametrize("name", ["scikit-learn", "pytorch", "traces", "tensorflow", "registry-and-deployment"])
def test_it_runs_without_a_warning(executed: Executed, name: str) -> None:
    run = executed(name)
    print(f"{name}: {run.seconds:.1f} s")
    for printed in run.printed:
        print(printed.stderr, printed.stdout)
        assert not A_WARNING.search(printed.stderr)
