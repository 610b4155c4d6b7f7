"""MLflow ends with its own Jupyter server; a user may run several servers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from support.lab import Lab, lab_server
from support.processes import family_of

StartLab = Callable[..., Lab]
EXPERIMENTS = "experiments/search"
ENDS = (signal.SIGTERM, signal.SIGKILL)


def test_two_servers_on_one_folder_both_work(tmp_path: Path) -> None:
    """Both start at the same moment, and the store does not exist yet."""
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    # The servers share the home, the runtime folder and the root folder. Each has its own temporary
    # folder, by which the test tells their sockets apart.
    (homes[0] / "runtime").mkdir(mode=0o700)
    (homes[1] / "runtime").symlink_to(homes[0] / "runtime")
    env, root = {"HOME": str(homes[0])}, tmp_path / "work"
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        servers = [lab_server(home, root=root, env=env) for home in homes]
        labs = list(pool.map(stack.enter_context, servers))
        list(pool.map(lambda lab: lab.wait_until("ready"), labs))
        assert len({lab.mlflow.pid for lab in labs}) == 2
        assert len({lab.mlflow_log for lab in labs}) == 2
        for number, lab in enumerate(labs):
            lab.api("experiments/create", {"name": f"of {number}"})
        for lab in labs:
            names = {
                each["name"] for each in lab.api(EXPERIMENTS, {"max_results": 9})["experiments"]
            }
            assert names == {"Default", "of 0", "of 1"}
        # Killing one does not affect the other.
        family = family_of(labs[0].process.pid)
        os.kill(labs[0].process.pid, signal.SIGKILL)
        assert not psutil.wait_procs(family, timeout=15)[1]
        assert labs[1].api(EXPERIMENTS, {"max_results": 9})["experiments"]


@pytest.mark.parametrize(
    "signum",
    [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.release) for each in ENDS)],
)
def test_mlflow_and_its_socket_are_gone_after_jupyter_ends(
    tmp_path: Path, new_database: Path, signum: signal.Signals
) -> None:
    """The path of the temporary folder is too long for a socket."""
    temporary = tmp_path / "tmp" / ("x" * 100)
    temporary.mkdir(parents=True)
    with lab_server(tmp_path, env={"TMPDIR": str(temporary)}, database=new_database) as lab:
        lab.wait_until("ready")
        socket = lab.mlflow_socket
        assert socket.is_socket()
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        family = family_of(lab.process.pid)
        # A terminal sends SIGINT to the whole process group.
        (os.killpg if signum == signal.SIGINT else os.kill)(lab.process.pid, signum)
        assert not psutil.wait_procs(family, timeout=15)[1]
    if signum == signal.SIGTERM:  # Jupyter has cleaned up what is its own
        assert not list(lab.runtime.glob("jpserver-*.json"))
    assert not socket.parent.exists()
    assert not list(temporary.iterdir())
