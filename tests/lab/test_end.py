"""MLflow ends with its own Jupyter server, which need not be the user's only one."""

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


def test_two_servers_on_one_folder_both_work(tmp_path: Path) -> None:
    """Both are asked at the same moment, and there is no store yet."""
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir()
    # All that they could fight over: one home, one runtime folder, one root folder. Only what tells
    # the test whose a socket is, the folder for temporary files, is each one's own.
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
        # The end of one is nothing to the other.
        family = family_of(labs[0].process.pid)
        os.kill(labs[0].process.pid, signal.SIGKILL)
        assert not psutil.wait_procs(family, timeout=15)[1]
        assert labs[1].api(EXPERIMENTS, {"max_results": 9})["experiments"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_jupyters_end_leaves_nothing(tmp_path: Path, signum: signal.Signals) -> None:
    """Where the folder for temporary files has a name too long for a socket, too."""
    temporary = tmp_path / "tmp" / ("x" * 100)
    temporary.mkdir(parents=True)
    with lab_server(tmp_path, env={"TMPDIR": str(temporary)}) as lab:
        lab.wait_until("ready")
        (option,) = (o for o in lab.supervisor.cmdline() if o.startswith("--unix-socket="))
        socket = Path(option.partition("=")[2])
        assert socket.is_socket()
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        family = family_of(lab.process.pid)
        # A terminal sends Ctrl-C to all that was started in it.
        (os.killpg if signum == signal.SIGINT else os.kill)(lab.process.pid, signum)
        assert not psutil.wait_procs(family, timeout=15)[1]
    assert not socket.parent.exists()
    assert not list(temporary.iterdir())
