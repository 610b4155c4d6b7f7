"""Access through Jupyter: cookie, origin and XSRF token decide what a page may read and write."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from support.lab import PAGE, TOKEN, Lab
from support.upstream import upstream_config

StartLab = Callable[..., Lab]
CREATE = "/ajax-api/2.0/mlflow/experiments/create"
FRAMES = "Content-Security-Policy"


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


def test_a_page_with_the_cookie_writes_only_with_the_xsrf_token(
    lab: Lab, browser: requests.Session
) -> None:
    own = {"Origin": lab.url}
    assert create(lab, browser, **own).status_code == 403
    assert create(lab, browser, **own, **{"X-XSRFToken": "guessed"}).status_code == 403
    token = {"X-XSRFToken": browser.cookies["_xsrf"]}
    assert create(lab, browser, **own, **token).status_code == 200
    assert create(lab, browser, Origin="https://evil.example", **token).status_code == 403


def test_a_client_with_a_token_needs_no_xsrf_token(lab: Lab, browser: requests.Session) -> None:
    authorization = {"Authorization": f"token {TOKEN}"}
    assert create(lab, browser, **authorization).status_code == 200
    with requests.Session() as client:
        assert create(lab, client, **authorization).status_code == 200


def test_a_client_with_a_wrong_token_is_told_what_to_send(lab: Lab) -> None:
    headers = {"Authorization": "Bearer wrong"}
    url = f"{lab.mlflow_url}{CREATE}"
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        answer = requests.request(method, url, data=b"{}", headers=headers, timeout=30)
        assert answer.status_code == 403
        assert answer.text == "Log in to Jupyter, or send its token"


def test_another_site_cannot_start_mlflow(start_lab: StartLab) -> None:
    lab = start_lab()
    with requests.Session() as session:
        session.get(f"{lab.url}/lab?token={TOKEN}", timeout=30).raise_for_status()

        def open_page(headers: dict[str, str]) -> int:
            page = session.get(f"{lab.mlflow_url}/", headers={**PAGE, **headers}, timeout=30)
            return page.status_code

        for headers in (
            {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
            {"Origin": "https://evil.example", "Sec-Fetch-Mode": "cors"},
            {"Connection": "origin", "Origin": "https://evil.example"},
        ):
            assert open_page(headers) == 403, headers
        assert not lab.mlflow_log.exists()
        for headers in (
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"},
            {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
            {},
        ):
            assert open_page(headers) == 200, headers
        assert lab.mlflow_log.exists()


@pytest.mark.parametrize(
    "config",
    [
        'c.ServerApp.allow_origin = "https://lab.example.org"',
        r'c.ServerApp.allow_origin_pat = r"https://.*\.example\.org"',
        'c.ServerApp.allow_origin = "*"',
    ],
)
def test_an_origin_that_jupyter_allows_is_allowed(start_lab: StartLab, config: str) -> None:
    lab = start_lab(config=config)
    lab.wait_until("ready")
    with requests.Session() as session:
        session.get(f"{lab.mlflow_url}/?token={TOKEN}", headers=PAGE, timeout=30)
        token = {"X-XSRFToken": session.cookies["_xsrf"]}
        answer = create(lab, session, Origin="https://lab.example.org", **token)
        assert answer.status_code == 200, answer.text
        foreign = create(lab, session, Origin="https://evil.example", **token).status_code
        assert foreign == (200 if '"*"' in config else 403)
        # MLflow is down, so the supervisor answers the loading page's button.
        lab.mlflow.kill()
        lab.wait_until("starting")
        button = {"Origin": "https://lab.example.org", "Sec-Fetch-Site": "cross-site", **token}
        url = f"{lab.mlflow_url}/_proxy/start"
        assert session.post(url, json={}, headers=button, timeout=30).status_code == 202


@pytest.mark.parametrize("path", ["/", "/static-files/index.html", "/_proxy/status", "/version"])
def test_jupyters_frame_ancestors_policy_applies_to_the_dashboard(lab: Lab, path: str) -> None:
    answer = lab.get(path, headers=PAGE)
    assert "frame-ancestors 'self'" in answer.headers[FRAMES]
    assert "X-Frame-Options" not in answer.headers


def test_a_page_that_the_admin_allows_may_frame_the_dashboard(start_lab: StartLab) -> None:
    policy = "frame-ancestors 'self' https://lms.example.org"
    lab = start_lab(
        config=f'c.ServerApp.tornado_settings = {{"headers": {{"{FRAMES}": "{policy}"}}}}'
    )
    loading = lab.get("/", headers=PAGE)
    lab.wait_until("ready")
    for page in (loading, lab.get("/", headers=PAGE), lab.get("/static-files/index.html")):
        directives = [each.strip() for each in page.headers[FRAMES].replace(",", ";").split(";")]
        assert [each for each in directives if each.startswith("frame-ancestors")] == [policy]
        assert "X-Frame-Options" not in page.headers


def test_jupyters_secrets_are_not_in_mlflows_environment(start_lab: StartLab) -> None:
    secrets = {
        "JUPYTERHUB_API_TOKEN": "hunter2",
        "JPY_API_TOKEN": "hunter2",
        "JUPYTER_TOKEN": TOKEN,
        "CONFIGPROXY_AUTH_TOKEN": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "needed",
    }
    lab = start_lab(env=secrets)
    lab.wait_until("ready")
    environment = lab.mlflow.environ()
    assert "hunter2" not in environment.values()
    assert TOKEN not in environment.values()
    assert environment["AWS_SECRET_ACCESS_KEY"] == "needed"
    assert environment["JUPYTER_RUNTIME_DIR"] == str(lab.runtime)


def test_jupyter_sends_no_request_to_a_socket_that_others_can_replace(
    start_lab: StartLab, tmp_path: Path
) -> None:
    lab = start_lab(config=upstream_config(tmp_path))
    lab.wait_until("ready")
    (option,) = (o for o in lab.supervisor.cmdline() if o.startswith("--unix-socket="))
    folder = Path(option.partition("=")[2]).parent
    folder.chmod(0o777)
    assert lab.get("/secret").status_code == 502
    folder.chmod(0o700)
    assert lab.get("/public").ok
    requests_ = lab.get("/tell").json()["requests"]
    assert "/public" in requests_
    assert "/secret" not in requests_
