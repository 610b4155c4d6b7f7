"""`jupyter mlflow-proxy doctor`: versions, settings, the store, what runs, and what is wrong.

It takes the options of a Jupyter server and starts none. What it prints, without secrets, can be
pasted into a bug report.
"""

import contextlib
import json
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from importlib import metadata
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_path
from jupyter_server.serverapp import ServerApp, list_running_servers
from tornado.httpclient import HTTPClient, HTTPError
from traitlets.config import Application

from . import plugin
from .addresses import CONTROL, LOCAL_CREDENTIAL, LOCAL_URL, NAME, OWN_VARIABLES, STATUS, STORE_URI
from .config import MLflowProxy, settings
from .printable import escaped, mask_passwords
from .process import MLflowCommand
from .stores import SQLite
from .web.control import shown_settings

PACKAGES = (
    *("jupyter-mlflow-proxy", "jupyter-server", "jupyter-server-proxy", "jupyterlab", "notebook"),
    *("jupyterhub", "aiohttp", "simpervisor", "tornado", "traitlets"),
)
ANSWER_TIMEOUT = 10.0  # seconds
CHECK_TIMEOUT = 60.0  # seconds
WRONG = "!!"  # begins what has a remedy
REINSTALL = "Run, in Jupyter's environment: pip install --force-reinstall jupyter-mlflow-proxy"


def main() -> Any:
    """The command `jupyter mlflow-proxy`: Jupyter with MLflow, or `doctor`."""
    if sys.argv[1:2] == ["doctor"]:
        return examine(sys.argv[2:])
    return plugin.MLflowProxyApp.launch_instance()  # type: ignore[no-untyped-call]


def examine(arguments: Sequence[str]) -> int:
    """Print what is found; returns 1 if something is wrong. `arguments` are a Jupyter server's."""
    inherited = forget_kernels_variables()
    servers = list(list_running_servers())
    app = read_configuration(arguments, servers)
    config = settings()
    parts = {
        "Versions": versions(),
        "Installation": installation(app),
        "Settings": shown(shown_settings(config), config.sources),
        "Store": store(config),
        **{f"Jupyter server, pid {each['pid']}": running(each) for each in servers},
        "This terminal": terminal(inherited),
    }
    wrong = 0
    for title, lines in parts.items():
        print(f"\n{title}")
        for line in lines:
            print(escaped(mask_passwords(f"  {line}")))
            wrong += line.startswith(WRONG)
    print(f"\nProblems: {wrong}")
    return int(wrong > 0)


def checked(is_right: bool, text: str, remedy: str) -> str:
    """A line that says whether `text` is as it should be, or else what to do."""
    return f"ok {text}" if is_right else f"{WRONG} {text}\n     {remedy}"


def forget_kernels_variables() -> dict[str, str]:
    """Take from this environment what Jupyter gives terminals, not settings; returns it."""
    names = [name for name in os.environ if name.startswith(OWN_VARIABLES)]
    inherited = {name: os.environ.pop(name) for name in names}
    if inherited.get(STORE_URI) == os.environ.get("MLFLOW_TRACKING_URI"):
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    return inherited


def read_configuration(arguments: Sequence[str], servers: Sequence[Mapping[str, Any]]) -> ServerApp:
    """A Jupyter server that is only configured, with the root folder of the one that runs."""
    app = ServerApp.instance(log_level="ERROR")
    if len(servers) == 1:
        app.root_dir = servers[0]["root_dir"]
    app.parse_command_line([*arguments])
    Application.load_config_file(app, "jupyter_mlflow_proxy_config", path=app.config_file_paths)
    app.load_config_file()
    app.find_server_extensions()
    return app


def versions() -> Iterator[str]:
    """The releases of what Jupyter's environment has."""
    yield f"Python {platform.python_version()}, {platform.platform()}"
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            yield f"{package} {metadata.version(package)}"


def installation(app: ServerApp) -> Iterator[str]:
    """Whether the server extension and JupyterLab's are there."""
    for name in ("jupyter_server_proxy", "mlflow_proxy"):
        # It writes to the environment; what a user's own file disables, only another such enables.
        enable = f"jupyter server extension enable {name}"
        remedy = f"Run: {enable}\n     Or: {enable} --user\n     If both fail: {REINSTALL}"
        yield checked(bool(app.jpserver_extensions.get(name)), f"Server extension {name}", remedy)
    places = (Path(each) / plugin.LAB_EXTENSION for each in jupyter_path("labextensions"))
    place = next((each for each in places if (each / "package.json").is_file()), None)
    yield checked(place is not None, f"JupyterLab's extension in {place}", REINSTALL)


def shown(values: Mapping[str, str], sources: Mapping[str, str]) -> Iterator[str]:
    """Each setting with its value and where that comes from."""
    for name, value in values.items():
        yield f"{name} = {value or '(empty)'}  [{sources.get(name, '')}]"


def store(config: MLflowProxy) -> Iterator[str]:
    """What MLflow's process finds before it loads MLflow, and what the store takes."""
    program, variables = plugin.mlflow_command(config), plugin.environment(config)
    command = MLflowCommand(tuple(program), config.root_dir, lambda: variables)
    try:
        said = subprocess.run(
            [*program, "--check", "--unix-socket=none"],
            cwd=config.root_dir,
            env=command.environment(),
            capture_output=True,
            text=True,
            timeout=CHECK_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield checked(False, f"Python cannot be run: {error}", "Check c.MLflowProxy.python")
        return
    yield from said.stdout.splitlines()
    failure = said.stderr.partition("MLflow cannot start. ")[2]
    is_right = not (failure or said.returncode)
    yield checked(is_right, "What is checked before a start", (failure or said.stderr).strip())
    if isinstance(config.backend_store, SQLite) and config.backend_store.path.exists():
        yield f"The database takes {megabytes(config.backend_store.path.stat().st_size)}"
    yield f"The disk of {config.root_dir} has {megabytes(shutil.disk_usage(config.root_dir).free)}"


def megabytes(size: int) -> str:
    """`size`, in bytes, for a person."""
    return f"{size / 1e6:,.1f} MB"


def running(server: Mapping[str, Any]) -> Iterator[str]:
    """What a Jupyter server that runs says of its MLflow, and whether the socket is private."""
    url = f"{server['url'].rstrip('/')}/{NAME}"
    token = server.get("token") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
    status, body = ask(f"{url}{CONTROL}", f"token {token}")
    remedy = "404: enable the extension mlflow_proxy, or see the log there. 403: it has a password"
    yield checked(status == HTTPStatus.OK, f"{url}/ answers {status or body}", remedy)
    if status != HTTPStatus.OK:
        return
    told = json.loads(body)
    text = f"MLflow {told['version'] or ''} is {told['state']}: {told['text']}"
    yield checked(told["state"] != "failed", text, told["remedy"])
    yield f"It takes {megabytes(told['memory'] or 0)}; its log is {told['log']}"
    yield from shown(told["settings"], told["sources"])
    with contextlib.suppress(OSError):  # it does not run, or this is not Linux
        command = Path(f"/proc/{told['pid']}/cmdline").read_text().split("\0")
        option = next(each for each in command if each.startswith("--unix-socket="))
        path = Path(option.partition("=")[2])
        modes = [stat.S_IMODE(each.lstat().st_mode) & 0o077 for each in (path, path.parent)]
        remedy = "Restart MLflow: its folder must be open to its owner only"
        yield checked(path.is_socket() and not any(modes), f"Socket {path}", remedy)


def terminal(inherited: Mapping[str, str]) -> Iterator[str]:
    """Whether a terminal of Jupyter has the store, and reaches the address for kernels."""
    if STORE_URI not in inherited:
        yield "Not one of a Jupyter server with this package: what kernels get is not known here"
        return
    yield f"Kernels and terminals use {inherited[STORE_URI]}"
    if url := inherited.get(LOCAL_URL):
        status, body = ask(f"{url}{STATUS}", f"Bearer {inherited.get(LOCAL_CREDENTIAL)}")
        # This is none of MLflow's paths; and MLflow may not be ready.
        is_right = status in (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
        remedy = "Restart Jupyter, and open a new terminal"
        yield checked(is_right, f"The address for kernels, {url}: {status or body}", remedy)


def ask(url: str, authorization: str) -> tuple[int, str]:
    """The status and the body of an answer; 0 and why, if there is none."""
    headers = {"Authorization": authorization}
    with contextlib.closing(HTTPClient(defaults={"request_timeout": ANSWER_TIMEOUT})) as client:
        try:
            answer = client.fetch(url, headers=headers, raise_error=False)
        except (OSError, ValueError, HTTPError) as error:
            return 0, f"nothing: {error}"
    return answer.code, answer.body.decode(errors="replace")
