"""An editable install of a checkout works; the tests otherwise use the wheel."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.lab import PAGE, TOKEN, Lab
from support.processes import environment, running
from support.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
OURS = ("mlflow_proxy", "jupyter_mlflow_proxy", "__editable__")
CONFIG = Path("etc", "jupyter", "jupyter_server_config.d")
LAB = Path("share", "jupyter", "labextensions", "jupyter-mlflow-proxy")
ENTRY_POINT = """
from importlib.metadata import entry_points
(entry_point,) = entry_points(group="jupyter_serverproxy_servers", name="mlflow")
print(entry_point.load()()["launcher_entry"]["icon_path"])
"""


class Checkout:
    """A copy of the repository, and a virtual environment in which it is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = folder / ".venv"
        self.python = self.prefix / "bin" / "python"

    def run(self, *arguments: str) -> str:
        """Run the environment's Python, in another folder; returns what it printed."""
        command = [str(self.python), *arguments]
        return subprocess.check_output(command, cwd=self.prefix, text=True).strip()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the repository, installed as CONTRIBUTING.md says."""
    checkout = Checkout(tmp_path_factory.mktemp("checkout"))
    for name in ("mlflow_proxy", "icons"):
        # Not a developer's link to the icons, which lie beside the package.
        without = shutil.ignore_patterns("icons")
        shutil.copytree(REPOSITORY / name, checkout.folder / name, ignore=without)
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, checkout.folder)
    link_packages(checkout.prefix)
    install = ("install", "--quiet", "--no-deps", "--no-build-isolation")
    checkout.run("-m", "pip", *install, "--editable", str(checkout.folder))
    extension = checkout.folder / "mlflow_proxy" / "mlflow_proxy.json"
    (checkout.prefix / CONFIG / extension.name).symlink_to(extension)
    (checkout.prefix / LAB).symlink_to(checkout.folder / "mlflow_proxy" / "lab")
    return checkout


def link_packages(prefix: Path) -> None:
    """Make a virtual environment with the packages of this one, but for the wheel under test.

    They are linked one by one: the wheel would come before an editable install, which setuptools'
    finder adds to the end of the search.
    """
    venv.create(prefix, symlinks=True)
    (packages,) = (prefix / "lib").glob("python*/site-packages")
    (prefix / CONFIG).mkdir(parents=True)
    (prefix / LAB.parent).mkdir(parents=True)
    for installed in map(Path, site.getsitepackages()):
        link_all(installed, packages)
        link_all(installed.parents[2] / CONFIG, prefix / CONFIG)


def link_all(source: Path, target: Path) -> None:
    """Link in `target` what is in `source`, but for this package."""
    for path in source.iterdir():
        if not path.name.startswith(OURS):
            (target / path.name).symlink_to(path)


@pytest.fixture
def server(checkout: Checkout, tmp_path: Path) -> Iterator[Lab]:
    """A Jupyter server of the environment."""
    env = environment(tmp_path, {"PATH": f"{checkout.python.parent}{os.pathsep}{os.defpath}"})
    command = [str(checkout.python), "-m", "jupyter_server", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"]
    command += [f"--IdentityProvider.token={TOKEN}"]
    with running(command, cwd=tmp_path, env=env, log=tmp_path / "jupyter.log") as process:
        lab = Lab(process, tmp_path, tmp_path, env)
        with lab.session:
            yield lab


def test_the_package_is_imported_from_the_checkout(checkout: Checkout) -> None:
    file = checkout.run("-c", "import mlflow_proxy; print(mlflow_proxy.__file__)")
    assert file == str(checkout.folder / "mlflow_proxy" / "__init__.py")


def test_the_entry_point_names_the_icon_of_the_checkout(checkout: Checkout) -> None:
    icon = checkout.run("-c", ENTRY_POINT)
    assert icon == str(checkout.folder / "icons" / "mlflow.svg")
    assert Path(icon).read_text().startswith("<svg")


def test_the_lab_extension_of_the_checkout_is_that_of_the_wheel(checkout: Checkout) -> None:
    wheel, link = Path(sys.prefix) / LAB, checkout.prefix / LAB
    files = [each.relative_to(wheel) for each in wheel.rglob("*") if each.is_file()]
    assert Path("static", "mlflow.svg") in files
    for file in files:
        assert (link / file).read_bytes() == (wheel / file).read_bytes(), file


def test_jupyter_serves_the_icon_the_page_and_mlflow(checkout: Checkout, server: Lab) -> None:
    icon = server.session.get(f"{server.url}/server-proxy/icon/mlflow", timeout=30)
    assert icon.status_code == 200
    assert icon.text.startswith("<svg")
    page = server.get("/", headers=PAGE)
    assert page.status_code == 200
    assert 'data-state="starting"' in page.text
    assert "MLflow is at /mlflow/" in server.log.read_text()  # by the server extension
    (process,) = wait_for(server.mlflow_processes)
    assert process.cmdline()[0] == str(checkout.python)
    server.wait_until("ready")
    assert "<title>MLflow</title>" in server.get("/", headers=PAGE).text
