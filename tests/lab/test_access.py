"""Access through Jupyter: cookie, origin and XSRF token decide what a page may read and write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from mlflow_proxy.addresses import CONTROL_LOG, CONTROL_RESTART, CONTROL_START, CONTROL_STOP
from support.lab import PAGE, TOKEN, Lab, lab_server
from support.server import jupyter_server
from support.upstream import upstream_config

StartLab = Callable[..., Lab]
CREATE = "/ajax-api/2.0/mlflow/experiments/create"
FRAMES = "Content-Security-Policy"
ALLOWED = "https://lab.example.org"
POLICY = "frame-ancestors 'self' https://lms.example.org"
NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
READ_ONLY = """
from jupyter_server.auth import Authorizer
class ReadOnly(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        return resource != "mlflow" or action == "read"
c.ServerApp.authorizer_class = ReadOnly
"""
SECRETS = {
    "JUPYTERHUB_API_TOKEN": "hunter2",
    "JPY_API_TOKEN": "hunter2",
    "JUPYTER_TOKEN": TOKEN,
    "CONFIGPROXY_AUTH_TOKEN": "hunter2",
    "JUPYTER_GATEWAY_HEADERS": '{"Authorization": "hunter2"}',
    "JUPYTER_GATEWAY_HTTP_PWD": "hunter2",
    "JUPYTERHUB_OAUTH_STATE": "hunter2",
    "EG_REMOTE_PWD": "hunter2",
    "KG_AUTH": "hunter2",
    "JUPYTERHUB_USER": "ada",
    "AWS_SECRET_ACCESS_KEY": "needed",
}


@pytest.fixture
def browser(lab: Lab) -> Iterator[requests.Session]:
    """A session with the cookies that a browser gets from the URL that Jupyter prints."""
    with requests.Session() as session:
        page = session.get(f"{lab.mlflow_url}/?token={TOKEN}", headers=PAGE, timeout=30)
        assert "<title>MLflow</title>" in page.text
        yield session


def create(lab: Lab, session: requests.Session, **headers: str) -> requests.Response:
    body = {"name": f"{time.time_ns()}"}
    return session.post(f"{lab.mlflow_url}{CREATE}", json=body, headers=headers, timeout=30)


@pytest.mark.release
def test_a_page_with_the_cookie_writes_only_with_the_xsrf_token(
    lab: Lab, browser: requests.Session
) -> None:
    own = {"Origin": lab.url}
    assert create(lab, browser, **own).status_code == 403
    assert create(lab, browser, **own, **{"X-XSRFToken": "guessed"}).status_code == 403
    token = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert create(lab, browser, **own, **token).status_code == 200
    assert create(lab, browser, Origin="https://evil.example", **token).status_code == 403


@pytest.mark.release
def test_a_client_with_a_token_needs_no_xsrf_token(lab: Lab, browser: requests.Session) -> None:
    authorization = {"Authorization": f"token {TOKEN}"}
    assert create(lab, browser, **authorization).status_code == 200
    with requests.Session() as client:
        assert create(lab, client, **authorization).status_code == 200


@pytest.mark.release
def test_a_client_with_a_wrong_token_is_told_what_to_send(lab: Lab) -> None:
    headers = {"Authorization": "Bearer wrong"}
    url = f"{lab.mlflow_url}{CREATE}"
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = requests.request(method, url, data=b"{}", headers=headers, timeout=30)
        assert answer.status_code == 403
        assert answer.text == "Log in to Jupyter, or send its token"


@pytest.mark.release
def test_another_site_cannot_start_mlflow(start_lab: StartLab, tmp_path: Path) -> None:
    lab = start_lab(config=upstream_config(tmp_path))
    with lab.open_browser() as session:

        def open_page(headers: dict[str, str]) -> int:
            page = session.get(f"{lab.mlflow_url}/", headers={**PAGE, **headers}, timeout=30)
            return page.status_code

        for headers in (
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
            {**NAVIGATION, "Sec-Fetch-Dest": "iframe"},
            {**NAVIGATION, "Sec-Fetch-Dest": "object"},
            {"Origin": "https://evil.example", "Sec-Fetch-Mode": "cors"},
            {"Connection": "origin", "Origin": "https://evil.example"},
        ):
            assert open_page(headers) == 403, headers
        assert not lab.mlflow_log.exists()
        for headers in (
            NAVIGATION,
            {**NAVIGATION, "Sec-Fetch-Dest": "document"},
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"},
            {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
            {},
        ):
            assert open_page(headers) == 200, headers
        assert lab.mlflow_log.exists()


def test_a_user_who_may_only_read_can_do_nothing_else(tmp_path: Path) -> None:
    with jupyter_server(tmp_path, READ_ONLY) as server:
        server.run_stand_in("serve", tmp_path)
        search = "/api/2.0/mlflow/experiments/search"
        assert server.request("/", headers=PAGE)[0] == 200
        server.wait_until("ready")
        assert server.request(search, "POST", body="{}")[0] == 200
        for path in (CREATE, search + "/../create", "/ajax-api/3.0/jobs", "/new-in-a-release"):
            assert server.request(path, "POST", body="{}")[0] == 403, path
        for path in (CONTROL_START, CONTROL_STOP, CONTROL_RESTART):
            assert server.post(path) == 403, path
        assert server.request(CONTROL_LOG)[0] == 403
        assert (server.status()["state"], server.status()["lines"]) == ("ready", [])


@pytest.fixture(scope="module")
def admins_lab(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> Iterator[Lab]:
    """A Jupyter server with an origin, a framing page and secrets of an admin."""
    config = f"""
c.ServerApp.allow_origin = "{ALLOWED}"
c.ServerApp.tornado_settings = {{"headers": {{"{FRAMES}": "{POLICY}"}}}}
"""
    home = tmp_path_factory.mktemp("admins")
    with lab_server(home, config=config, env=SECRETS, database=new_database) as server:
        yield server


def test_a_page_that_the_admin_allows_may_frame_the_dashboard(admins_lab: Lab) -> None:
    loading = admins_lab.get("/", headers=PAGE)
    admins_lab.wait_until("ready")
    dashboard = admins_lab.get("/", headers=PAGE)
    for page in (loading, dashboard, admins_lab.get("/static-files/index.html")):
        directives = [each.strip() for each in page.headers[FRAMES].replace(",", ";").split(";")]
        assert [each for each in directives if each.startswith("frame-ancestors")] == [POLICY]
        assert "X-Frame-Options" not in page.headers


@pytest.mark.release
def test_jupyters_secrets_are_not_in_mlflows_environment(admins_lab: Lab) -> None:
    admins_lab.wait_until("ready")
    environment = admins_lab.mlflow.environ()
    assert [name for name, value in environment.items() if "hunter2" in value] == []
    assert TOKEN not in environment.values()
    assert environment["AWS_SECRET_ACCESS_KEY"] == "needed"
    assert environment["JUPYTERHUB_USER"] == "ada"
    assert environment["JUPYTER_RUNTIME_DIR"] == str(admins_lab.runtime)


def create_from_another_site(lab: Lab) -> list[int]:
    """Write as pages of the site `ALLOWED` and of another do; returns the statuses."""
    with lab.open_browser() as session:
        token = {"X-XSRFToken": session.cookies["_xsrf"]}
        sites = (ALLOWED, "https://evil.example")
        return [create(lab, session, Origin=site, **token).status_code for site in sites]


@pytest.mark.release
def test_an_origin_that_jupyter_allows_is_allowed(admins_lab: Lab) -> None:
    admins_lab.wait_until("ready")
    assert create_from_another_site(admins_lab) == [200, 403]
    # The loading page's button, while MLflow is down.
    admins_lab.mlflow.kill()
    admins_lab.wait_until("starting")
    with admins_lab.open_browser() as session:
        token = {"X-XSRFToken": session.cookies["_xsrf"]}
        button = {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site", **token}
        url = f"{admins_lab.mlflow_url}{CONTROL_START}"
        assert session.post(url, json={}, headers=button, timeout=30).status_code == 202


@pytest.mark.parametrize(
    ("setting", "foreign"),
    [(r'allow_origin_pat = r"https://.*\.example\.org"', 403), ('allow_origin = "*"', 200)],
)
def test_a_pattern_of_origins_that_jupyter_allows_is_allowed(
    start_lab: StartLab, tmp_path: Path, setting: str, foreign: int
) -> None:
    lab = start_lab(config=f"{upstream_config(tmp_path)}c.ServerApp.{setting}")
    lab.wait_until("ready")
    assert create_from_another_site(lab) == [200, foreign]


@pytest.mark.release
@pytest.mark.parametrize("path", ["/", "/static-files/index.html", "/_proxy/status", "/version"])
def test_jupyters_frame_ancestors_policy_applies_to_the_dashboard(lab: Lab, path: str) -> None:
    answer = lab.get(path, headers=PAGE)
    assert "frame-ancestors 'self'" in answer.headers[FRAMES]
    assert "X-Frame-Options" not in answer.headers


@pytest.mark.release
def test_jupyter_sends_no_request_to_a_socket_that_others_can_replace(
    start_lab: StartLab, tmp_path: Path
) -> None:
    lab = start_lab(config=upstream_config(tmp_path))
    lab.wait_until("ready")
    folder = lab.mlflow_socket.parent
    folder.chmod(0o777)
    assert lab.get("/secret").status_code == 502
    folder.chmod(0o700)
    assert lab.get("/public").ok
    requests_ = lab.get("/tell").json()["requests"]
    assert "/public" in requests_
    assert "/secret" not in requests_
