"""Jobs run as many at once as their kind allows, and one that fails does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mlflow_proxy.server.jobs.mlflow_jobs import JobRunner
from mlflow_proxy.server.store.locks import Locks
from support.waiting import wait_for


class Job:
    """A job that runs until `may_end` is set."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.returns: list[float] = []
        """What it returns, in turn; then None."""

    def __call__(self) -> float | None:
        self.began.set()
        assert self.may_end.wait(30)
        return self.returns.pop(0) if self.returns else None


@pytest.fixture
def jobs() -> Iterator[list[Job]]:
    """Three jobs; each ends with the test."""
    made = [Job() for _ in range(3)]
    yield made
    for job in made:
        job.may_end.set()


def test_more_than_the_limit_wait(jobs: list[Job]) -> None:
    reported: list[bool] = []
    runner = JobRunner(reported.append)
    for job in jobs:
        runner.submit("judge", 2, job)
    wait_for(lambda: jobs[0].began.is_set() and jobs[1].began.is_set())
    other = Job()
    other.may_end.set()
    runner.submit("other", 1, other)  # kinds do not wait for each other
    wait_for(other.began.is_set)
    assert reported == [True]
    assert not jobs[2].began.is_set()
    jobs[0].may_end.set()
    wait_for(jobs[2].began.is_set)
    for job in jobs:
        job.may_end.set()
    wait_for(lambda: not runner.is_busy)
    assert reported == [True, False]
    again = Job()
    again.may_end.set()
    runner.submit("judge", 2, again)
    wait_for(again.began.is_set)


def test_a_job_that_wants_to_run_again_is_busy_meanwhile(jobs: list[Job]) -> None:
    runner = JobRunner(lambda _: None)
    jobs[0].returns = [0.05]
    jobs[0].may_end.set()
    runner.submit("judge", 1, jobs[0])
    wait_for(lambda: not jobs[0].returns)
    assert runner.is_busy
    wait_for(lambda: not runner.is_busy)


def test_an_error_does_not_leave_the_runner_busy(jobs: list[Job]) -> None:
    def fail() -> float | None:
        raise ZeroDivisionError

    runner = JobRunner(lambda _: None)
    runner.submit("judge", 1, fail)
    wait_for(lambda: not runner.is_busy)
    jobs[0].may_end.set()
    runner.submit("judge", 1, jobs[0])
    wait_for(jobs[0].began.is_set)


def test_a_key_is_held_once() -> None:
    locks = Locks()
    assert locks.acquire("a")
    assert not locks.acquire("a")
    assert locks.acquire("b")
    locks.release("a")
    assert locks.acquire("a")
