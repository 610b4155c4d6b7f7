"""The package works from a checkout, as those who change it install it."""

from __future__ import annotations

import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import requests

from support.lab import PAGE, TOKEN
from support.processes import environment, free_ports, running
from support.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
CODE = """
import mlflow_proxy
from mlflow_proxy.shared.icon import icon
assert icon().read_text().startswith("<svg")
print(mlflow_proxy.__file__)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout, installed in a virtual environment that sees the packages of this one."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("mlflow_proxy", "icons"):
        shutil.copytree(REPOSITORY / name, folder / name)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, folder)
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    install = [*python(folder), "-m", "pip", "install", "-q", "--no-deps", "-e", str(folder)]
    subprocess.run(install, check=True)
    for installed in site.getsitepackages():
        for path in Path(installed).iterdir():
            is_ours = path.name.startswith(("mlflow_proxy", "jupyter_mlflow_proxy"))
            if not is_ours and not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
    return folder


def python(folder: Path) -> list[str]:
    return [str(folder / "venv" / "bin" / "python")]


def test_the_package_is_the_checkout_and_has_its_icon(checkout: Path, tmp_path: Path) -> None:
    printed = subprocess.check_output([*python(checkout), "-c", CODE], cwd=tmp_path, text=True)
    assert printed.strip() == str(checkout / "mlflow_proxy" / "__init__.py")


def test_the_tile_and_its_page_come(checkout: Path, tmp_path: Path) -> None:
    env = environment(tmp_path)
    enable = [*python(checkout), "-m", "jupyter", "server", "extension", "enable", "mlflow_proxy"]
    subprocess.run(enable, cwd=tmp_path, env=env, check=True, capture_output=True)
    (port,) = free_ports(1)
    command = [*python(checkout), "-m", "jupyter", "server", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}"]
    url, log = f"http://127.0.0.1:{port}", tmp_path / "jupyter.log"
    with running(command, cwd=tmp_path, env=env, log=log), requests.Session() as session:
        session.headers["Authorization"] = f"token {TOKEN}"

        def answers() -> bool:
            try:
                return session.get(f"{url}/api", timeout=5).ok
            except requests.ConnectionError:
                return False

        wait_for(answers, 60, f"Jupyter does not answer, see {log}")
        icon = session.get(f"{url}/server-proxy/icon/mlflow", timeout=30)
        assert (icon.status_code, icon.text[:4]) == (200, "<svg")
        page = session.get(f"{url}/mlflow/", headers=PAGE, timeout=60)
        assert page.status_code == 200
        assert "data-state" in page.text
        assert "MLflow is at /mlflow/" in log.read_text()
    assert sys.prefix not in str(checkout)
