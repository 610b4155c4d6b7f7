"""The cells and commands of the tutorial lead to a served model."""

from __future__ import annotations

from support.kernel import kernel
from support.lab import TOKEN, Lab
from support.tutorial import Tutorial


def test_the_tutorial_ends_with_predictions(examples_lab: Lab) -> None:
    tutorial = Tutorial()
    *before, ask = tutorial.cells
    with kernel(examples_lab.url, TOKEN, "tutorial.ipynb") as run:
        first, *_ = run(*before)
        assert "/mlflow/#/experiments/" in first.html
        with tutorial.serving(examples_lab):
            (asked,) = run(f"{ask}\nprint(answer.json())")
    assert asked.stdout.strip() == tutorial.answer
