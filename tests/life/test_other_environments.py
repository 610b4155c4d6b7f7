"""`c.MLflowProxy.python`: MLflow of another environment, in which this package is not installed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from mlflow_proxy.printable import quoted
from mlflow_proxy.process import MLflowCommand
from support.databases import OLDER, make_database
from support.environments import (
    find_python,
    make_conda_like,
    make_virtual,
    python_of,
    too_old_python,
)
from support.life import life_of, mlflow_in
from support.server import PAGE, Server, jupyter_server, mlflow_of, settings_of
from support.tracking_server import REQUIREMENTS
from support.waiting import wait_for
from support.wire import wire_server

MINORS = ("3.14", "3.13", "3.10", "3.12")  # of Python, the most telling first
TOO_OLD = ("3.9", "3.8", "3.7", "3.6", "2.7")
LOG_RUN = """
import mlflow, os, sys
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run(run_name=f"of {mlflow.__version__}"):
    mlflow.log_text("ä", "note.txt")
"""


def names_of_runs(jupyter: Server) -> list[str]:
    """The names of all runs of the default experiment, as the dashboard shows them."""
    headers, body = {"Content-Type": "application/json"}, json.dumps({"experiment_ids": ["0"]})
    answer = jupyter.request("/api/2.0/mlflow/runs/search", "POST", headers, body)
    return [run["info"]["run_name"] for run in json.loads(answer[2]).get("runs", [])]


def test_mlflow_runs_in_a_conda_environment_from_upgrade_to_idle_stop(tmp_path: Path) -> None:
    prefix = tmp_path / "my envs" / "ümläut"
    prefix.mkdir(parents=True)
    python = make_conda_like(prefix, python_of(*REQUIREMENTS))
    database = tmp_path / "mlflow.db"
    make_database(f"sqlite:///{database}", OLDER)
    # As of Jupyter's environment: nothing in it may be imported.
    poison = tmp_path / "poison"
    poison.mkdir()
    for name in ("mlflow", "uvicorn", "starlette"):
        (poison / f"{name}.py").write_text("raise SystemExit('of another environment')")
    path = os.pathsep.join([str(poison), os.environ.get("PYTHONPATH", "")])
    variables = {"PYTHONPATH": path, "VIRTUAL_ENV": sys.prefix}
    config = settings_of({"python": str(python), "idle_timeout": 5.0})
    home = tmp_path / "home"
    home.mkdir()
    with jupyter_server(home, config, root=tmp_path, env=variables) as jupyter:
        jupyter.start()
        offer = jupyter.wait_until("failed")["offer"]
        assert offer["repair"] == "upgrade"
        assert jupyter.upgrade() == 202
        jupyter.wait_until("ready", 90)
        assert jupyter.request("/version")[2] == "3.10.0"
        assert jupyter.request("/", headers=PAGE)[2].count("<title>MLflow</title>") == 1
        child = jupyter.child
        environment = child.environ()
        opened = {entry.path for entry in child.memory_maps()}
        command = [str(python), "-c", LOG_RUN, f"sqlite:///{database}"]
        with subprocess.Popen(command, env=environment, cwd=tmp_path) as kernel:
            # The requests are use, so that MLflow is not stopped before the kernel is done.
            wait_for(lambda: names_of_runs(jupyter) == ["of 3.10.0"], 60)
        assert kernel.returncode == 0
        jupyter.wait_until("idle")
        wait_for(lambda: not psutil.pid_exists(child.pid))
    assert environment["CONDA_PREFIX"] == str(prefix)
    assert environment["PATH"].split(os.pathsep)[0] == str(prefix / "bin")
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & environment.keys()
    assert not [path for path in opened if path.startswith(sys.prefix + os.sep)]


def test_a_tracking_server_is_shown_under_another_python(tmp_path: Path) -> None:
    others = [minor for minor in MINORS if minor != ".".join(map(str, sys.version_info[:2]))]
    minor = next(filter(find_python, others), "")  # this Python where there is no other
    packages = ("aiohttp", "certifi", "starlette", "uvicorn")
    python = python_of(*packages, minor=minor)
    with (
        wire_server("") as server,
        mlflow_of(tmp_path, python=python, MLFLOW_BACKEND_STORE_URI=server.url) as jupyter,
    ):
        jupyter.wait_until("ready")
        assert jupyter.child.exe() == str(python.resolve())
        assert not jupyter.child.exe().startswith(sys.prefix)
        assert jupyter.request("/small")[0] == 200
        assert server.requests[-1].target == "/small"


def make_bare(folder: Path) -> Path:
    """An environment with nothing but Python."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder / "a bare one")]
    subprocess.run(command, check=True)
    return folder / "a bare one" / "bin" / "python"


def fail(folder: Path, python: Path | str) -> tuple[str, str]:
    """The reason and the remedy of a start with `python`."""

    async def run() -> tuple[str, str]:
        program = mlflow_in(folder, str(python))
        async with life_of(folder, *program) as life:
            life.start()
            assert await life.ready() is None
            assert life.status.failure
            return life.status.failure.reason, life.status.failure.remedy

    return asyncio.run(run())


def test_an_interpreter_that_cannot_be_run_is_explained(tmp_path: Path) -> None:
    no_program = tmp_path / "text"
    no_program.write_text("print('hello')")
    script = tmp_path / "script"
    script.write_text("#!/removed/python3.8\n")
    script.chmod(0o700)
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF of another machine")
    binary.chmod(0o700)
    cases: dict[Path | str, str] = {
        "/no/such/python": "No such file or directory",
        "no-such-python": "No such file or directory",
        tmp_path: "Permission denied",
        no_program: "Permission denied",
        script: "No such file or directory",
        binary: "Exec format error",
    }
    for python, why in cases.items():
        reason, remedy = fail(tmp_path, python)
        assert reason == f"MLflow's interpreter, {python}, cannot be run: {why}."
        assert remedy.startswith("Correct c.MLflowProxy.python in")
    reason, remedy = fail(tmp_path, "/bin/true")
    assert "ended with exit code 0 and reported nothing" in reason
    assert "Python 3.10 or newer" in remedy


def test_an_environment_without_a_fitting_mlflow_is_explained(tmp_path: Path) -> None:
    python = make_bare(tmp_path)
    install = f"Run:\n    '{python}' -m pip install "
    found = fail(tmp_path, python)
    assert found == (f"MLflow is not installed for {quoted(python)}.", f"{install}mlflow")
    site = next((python.parents[1] / "lib").glob("*/site-packages"))
    (site / "mlflow" / "server").mkdir(parents=True)
    (site / "mlflow" / "server" / "__init__.py").touch()
    (site / "mlflow-2.22.1.dist-info").mkdir()
    (site / "mlflow-2.22.1.dist-info" / "METADATA").write_text("Name: mlflow\nVersion: 2.22.1\n")
    found = fail(tmp_path, python)
    assert found == (f"MLflow 2.22.1 of {quoted(python)} is too old.", f'{install}"mlflow>=3.10"')
    (site / "mlflow-2.22.1.dist-info").rename(site / "mlflow_skinny-2.22.1.dist-info")
    reason = f"Only mlflow-skinny is installed for {quoted(python)}"
    assert fail(tmp_path, python)[0].startswith(reason)


def test_a_python_that_is_too_old_is_explained(tmp_path: Path) -> None:
    for python in (too_old_python(tmp_path), *filter(None, map(find_python, TOO_OLD))):
        reason, remedy = fail(tmp_path, python)
        assert "ended with exit code 0 and reported nothing" in reason
        assert "Check that c.MLflowProxy.python is Python 3.10 or newer" in remedy


def test_the_environment_of_jupyters_own_interpreter_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inherited = {"PATH": "/bin", "PYTHONPATH": "/a", "CONDA_PREFIX": "/b", "OTHER": "c"}
    monkeypatch.setattr(os, "environ", inherited)

    def environment(python: str, **chosen: str) -> dict[str, str]:
        return MLflowCommand((python,), tmp_path, lambda: chosen).environment()

    assert environment(sys.executable) == inherited
    python = str(make_virtual(tmp_path / "virtual", sys.executable))
    assert environment(python) == {
        "PATH": f"{tmp_path}/virtual/bin:/bin",
        "VIRTUAL_ENV": f"{tmp_path}/virtual",
        "OTHER": "c",
    }
    chosen = {"PATH": "/d", "PYTHONPATH": "/e", "VIRTUAL_ENV": "/f", "JUPYTER_TOKEN": "of it"}
    assert environment(python, **chosen) == {**chosen, "OTHER": "c"}
    assert environment("/opt/wrapper") == {"PATH": "/bin", "OTHER": "c"}
