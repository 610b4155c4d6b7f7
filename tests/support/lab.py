"""A real Jupyter server, as a user or a hub starts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from mlflow_proxy.addresses import CONTROL, CONTROL_STOP

from .kernel import run_in_kernel
from .processes import BIN, command_of, environment, family_of, free_ports, running
from .waiting import wait_for

TOKEN = "the-token-of-the-tests"
PAGE = {"Accept": "text/html,application/xhtml+xml"}
# JupyterLab asks npm for language servers, which takes a second of processor.
QUIET = "c.LanguageServerManager.autodetect = False\n"
# By default, whether a kernel that imports MLflow starts it here depends on the machine's memory.
QUIET += "c.MLflowProxy.prestart = False\n"
# Without these, Jupyter starts in less than half the time.
PAGES = dict.fromkeys(("jupyterlab", "jupyter_lsp", "notebook", "notebook_shim"), False)
WITHOUT_PAGES = f"c.ServerApp.jpserver_extensions = {PAGES}\n"


class Lab:
    """A running Jupyter server with the MLflow tile."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        home: Path,
        root: Path,
        env: Any,
        authority: Path | None = None,
    ) -> None:
        self.process = process
        self.home = home
        self.root = root
        self.env = env
        self.log = home / "jupyter.log"
        self.runtime = home / "runtime"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"token {TOKEN}"
        if authority:
            self.session.verify = str(authority)
            self.session.trust_env = False  # REQUESTS_CA_BUNDLE would count instead
        information = wait_for(self._information, message=f"Jupyter did not start, see {self.log}")
        self.url = information["url"].rstrip("/")
        self.mlflow_url = f"{self.url}/mlflow"
        wait_for(self._answers, message=f"Jupyter does not answer, see {self.log}")

    def _information(self) -> dict[str, Any] | None:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return json.loads((self.runtime / f"jpserver-{self.process.pid}.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def _answers(self) -> bool:
        try:
            return self.session.get(f"{self.url}/api", timeout=5).status_code < 500
        except requests.ConnectionError:
            return False

    def get(self, path: str = "/", **options: Any) -> requests.Response:
        """Get `path` below `/mlflow`."""
        return self.session.get(f"{self.mlflow_url}{path}", timeout=30, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        """Post to `path` below `/mlflow`."""
        return self.session.post(f"{self.mlflow_url}{path}", timeout=30, **options)

    def api(self, path: str, body: Any) -> Any:
        """Call MLflow's REST API and return its answer."""
        answer = self.post(f"/api/2.0/mlflow/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def status(self) -> dict[str, Any]:
        """The status that the loading page polls."""
        return self.get("/_proxy/status").json()

    def start(self) -> None:
        """Start MLflow as a user does: load its page."""
        self.get("/", headers=PAGE).raise_for_status()

    def stop(self) -> None:
        """Stop MLflow as a user does, if it runs."""
        self.post(CONTROL_STOP, json={}).raise_for_status()
        wait_for(lambda: self.get(CONTROL).json()["pid"] is None)

    def wait_until(self, state: str, timeout: float = 90.0) -> dict[str, Any]:
        """Wait until MLflow is in `state`; starts it if it never was."""
        if self.status()["state"] == "stopped":
            self.get("/", headers=PAGE)
        return wait_for(
            lambda: (status := self.status())["state"] == state and status,
            timeout,
            f"MLflow is not {state}, see {self.log} and {self.mlflow_log}",
        )

    @property
    def mlflow_script(self) -> str:
        """The path of the dashboard's main script."""
        page = self.get("/", headers=PAGE).text
        return "/" + page.split('src="')[1].split('"')[0]

    @property
    def mlflow_log(self) -> Path:
        """The log of MLflow."""
        return self.runtime / f"mlflow-proxy-{self.process.pid}.log"

    @property
    def mlflow(self) -> psutil.Process:
        """The MLflow process."""
        (child,) = self.mlflow_processes()
        return child

    @property
    def mlflow_socket(self) -> Path:
        """The socket of the MLflow process."""
        (option,) = (o for o in self.mlflow.cmdline() if o.startswith("--unix-socket="))
        return Path(option.partition("=")[2])

    def mlflow_processes(self) -> list[psutil.Process]:
        """The MLflow processes; earlier ones may still complete their requests."""
        return [
            process
            for process in psutil.Process(self.process.pid).children()
            if any(each.startswith("--unix-socket=") for each in command_of(process))
        ]

    def open_browser(self) -> requests.Session:
        """A session with the cookies that a browser gets from the URL that Jupyter prints."""
        session = requests.Session()
        session.get(f"{self.url}/login", timeout=30).raise_for_status()  # sets that of XSRF tokens
        session.get(f"{self.url}/api/status?token={TOKEN}", timeout=30).raise_for_status()
        return session

    def log_in(self, password: str) -> None:
        """Log in with the form of the login page, on a server without a token."""
        del self.session.headers["Authorization"]
        login = f"{self.url}/login"
        self.session.get(login, timeout=30).raise_for_status()
        self.session.headers["X-XSRFToken"] = self.session.cookies["_xsrf"]
        form = {"password": password, "_xsrf": self.session.cookies["_xsrf"]}
        self.session.post(login, data=form, timeout=30).raise_for_status()

    def kernel_variables(self) -> dict[str, str]:
        """The environment of a new kernel."""
        started = self.session.post(f"{self.url}/api/kernels", json={}, timeout=30)
        started.raise_for_status()
        kernel = started.json()["id"]

        def find() -> dict[str, str] | None:
            for process in family_of(self.process.pid):
                if any(f"kernel-{kernel}.json" in each for each in command_of(process)):
                    return process.environ()
            return None

        try:
            return wait_for(find, 30)
        finally:
            self.session.delete(f"{self.url}/api/kernels/{kernel}", timeout=30)

    def run_in_kernel(self, code: str, folder: str = "", kernel: str = "python3") -> str:
        """Run `code` in a kernel of this server, in `folder`; returns its stdout."""
        return run_in_kernel(self.url, TOKEN, code, folder, kernel)


@contextmanager
def lab_server(
    home: Path,
    *,
    config: str = "",
    base_url: str = "/",
    env: Mapping[str, str] | None = None,
    root: Path | None = None,
    program: str = "server",
    port: int = 0,
    token: str = TOKEN,
    authority: Path | None = None,
    database: Path | None = None,
) -> Iterator[Lab]:
    """Run Jupyter with `config` in `root`; assert that no process or socket survives.

    The `program` "lab" is JupyterLab, for what opens its page. A `database` is copied as the store.
    """
    root = root or home / "work"
    root.mkdir(parents=True, exist_ok=True)
    if database:
        shutil.copy(database, root / "mlflow.db")
    config_file = home / "jupyter_config.py"
    quiet = QUIET + (WITHOUT_PAGES if program == "server" else "")
    config_file.write_text(f"c = get_config()\n{quiet}{config}\n")
    set_up_lab_for_pictures(home)
    variables = environment(home, env)
    command = [
        str(BIN / "jupyter"),
        program,
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port or free_ports(1)[0]}",
        f"--ServerApp.base_url={base_url}",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
        f"--config={config_file}",
    ]
    with running(command, cwd=home, env=variables, log=home / "jupyter.log") as process:
        lab = Lab(process, home, root, variables, authority)
        try:
            yield lab
        finally:
            lab.session.close()
    wait_for(lambda: not leftovers(home), 10, f"left behind: {leftovers(home)}")


def set_up_lab_for_pictures(home: Path) -> None:
    """Make Lab follow the browser's colour scheme; disable the prompt for Jupyter's news."""
    overrides = home / "config" / "labconfig" / "default_setting_overrides.json"
    overrides.parent.mkdir(parents=True, exist_ok=True)
    settings = {
        "notification": {"fetchNews": "false", "checkForUpdates": False},
        "themes": {"adaptive-theme": True},
    }
    plugins = {f"@jupyterlab/apputils-extension:{name}": value for name, value in settings.items()}
    overrides.write_text(json.dumps(plugins))


def leftovers(home: Path) -> list[Path]:
    """The sockets and socket folders below `home`."""
    folders = list((home / "tmp").glob("jupyter-server-proxy-*"))
    # Unlike `rglob`, `walk` passes over a folder that is removed meanwhile.
    files = (Path(folder, name) for folder, _, names in os.walk(home) for name in names)
    return folders + [path for path in files if path.is_socket()]
