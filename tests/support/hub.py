"""A real JupyterHub behind a real configurable-http-proxy, with a public host name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from .kernel import run_in_kernel
from .lab import PAGE, leftovers, set_up_lab_for_pictures
from .processes import BIN, describe, environment, free_ports, processes_of, running
from .waiting import wait_for

TESTS = Path(__file__).parents[1]
EXAMPLES = TESTS.parent / "examples" / "jupyterhub"
HOST = "hub.example.org"  # the public host name; the hub listens on 127.0.0.1 only
BASE_URL = "/hub-base/"
PASSWORD = "the-password-of-the-tests"
ADMIN_TOKEN = "the-admin-token-of-the-tests"
PROXY = "configurable-http-proxy"


class Hub:
    """A running hub, with the actions of its users and its administrator."""

    def __init__(self, home: Path, port: int, has_domains: bool = False) -> None:
        self.has_domains = has_domains
        self.home = home
        self.host = f"{HOST}:{port}"
        self.origin = f"http://{self.host}"  # for browsers
        self.address = f"http://127.0.0.1:{port}{BASE_URL.rstrip('/')}"  # for `requests`
        self.session = self._session(Authorization=f"token {ADMIN_TOKEN}")

    def session_of(self, user: str, **headers: str) -> requests.Session:
        """A session with the domain of `user`, on a hub where each user has one."""
        return self._session(
            Host=f"{user}.{self.host}" if self.has_domains else self.host, **headers
        )

    def _session(self, **headers: str) -> requests.Session:
        session = requests.Session()
        session.headers.update({"Host": self.host, **headers})
        return session

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the hub's REST API as its administrator."""
        return self.session.request(method, f"{self.address}/hub/api{path}", timeout=30, **options)

    def is_up(self) -> bool:
        """Whether the hub answers through its proxy."""
        try:
            return self.api("GET", "/info").ok
        except requests.ConnectionError:
            return False

    def mlflow(self, user: str, path: str = "/") -> str:
        """The address of `path` below the `/mlflow` of `user`."""
        return f"{self.address}/user/{user}/mlflow{path}"

    def start_server(self, user: str) -> None:
        """Start the server of `user`, unless it is running."""
        self.add_user(user)
        self.api("POST", f"/users/{user}/server")  # 400 if it is already running
        wait_for(lambda: self.server_state(user).get("ready"), 60, f"no server of {user}")

    def stop_server(self, user: str) -> None:
        """Stop the server of `user`, as the hub's control panel or its idle culler does."""
        self.api("DELETE", f"/users/{user}/server").raise_for_status()
        wait_for(lambda: not self.server_state(user), 30, f"the server of {user} is still running")

    def server_state(self, user: str) -> dict[str, Any]:
        """The hub's model of the server of `user`; empty if there is none."""
        return self.api("GET", f"/users/{user}").json()["servers"].get("", {})

    def add_user(self, user: str) -> None:
        """Create the account `user`, unless it exists."""
        assert self.api("POST", f"/users/{user}").status_code in (201, 409)

    def token(self, user: str) -> str:
        """Create an API token for the existing account `user`."""
        answer = self.api("POST", f"/users/{user}/tokens", json={"note": "tests"})
        answer.raise_for_status()
        return answer.json()["token"]

    def log_in(self, user: str) -> requests.Session:
        """Log `user` in with the form of the login page; the session has the hub's cookies."""
        session = self._session()
        login = f"{self.address}/hub/login"
        session.get(login, timeout=30).raise_for_status()
        form = {"username": user, "password": PASSWORD, "_xsrf": session.cookies["_xsrf"]}
        answer = session.post(login, data=form, timeout=30, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return session

    def xsrf_token(self, session: requests.Session, user: str) -> str:
        """The XSRF cookie that the server of `user` has set in `session`, if any."""
        session.get(self.mlflow(user), headers=PAGE, timeout=30)
        cookies = [each for each in session.cookies if each.name == "_xsrf"]
        return next((c.value or "" for c in cookies if c.path.endswith(f"/user/{user}/")), "")

    def run_in_kernel(self, user: str, code: str) -> str:
        """Run `code` in a kernel of the server of `user`; returns its stdout."""
        return run_in_kernel(f"{self.address}/user/{user}", self.token(user), code)


@contextmanager
def hub_server(
    home: Path,
    *,
    subdomains: bool = False,
    example: str = "",
    env: Mapping[str, str] | None = None,
) -> Iterator[Hub]:
    """Run a hub with all files below `home`; assert that no process or socket survives.

    `example` is a configuration in `examples/jupyterhub`, and `env` its environment.
    """
    assert shutil.which(PROXY), f"{PROXY} is not on PATH: npm install --global {PROXY}"
    set_up_lab_for_pictures(home)
    port, hub_port, proxy_api_port = free_ports(3)
    command = [
        str(BIN / "jupyterhub"),
        f"--config={TESTS / 'hub' / 'jupyterhub_config.py'}",
        f"--JupyterHub.bind_url=http://127.0.0.1:{port}{BASE_URL}",
        f"--JupyterHub.hub_port={hub_port}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy_api_port}",
    ]
    if subdomains:
        command.append(f"--JupyterHub.subdomain_host=http://{HOST}:{port}")
    variables = {"TESTS_ADMIN_TOKEN": ADMIN_TOKEN, "TESTS_PASSWORD": PASSWORD, **(env or {})}
    if example:
        variables["TESTS_EXAMPLE"] = str(EXAMPLES / example)
    log = home / "jupyterhub.log"
    with running(command, cwd=home, env=environment(home, variables), log=log) as process:
        hub = Hub(home, port, subdomains)

        def is_up() -> bool:
            assert process.poll() is None, log.read_text()
            return hub.is_up()

        with hub.session:
            wait_for(is_up, 60, f"the hub did not start, see {log}")
            yield hub
    processes = processes_of(home)
    assert not processes, f"left behind: {[describe(process) for process in processes]}"
    sockets = [path for folder in (home, *home.iterdir()) for path in leftovers(folder)]
    assert not sockets, f"left behind: {sockets}"
