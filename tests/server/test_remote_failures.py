"""A tracking server that cannot be shown has a page with the reason and the remedy, in seconds."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support import wire
from support.certificates import Authority, authority
from support.server import PAGE, Server, mlflow_of
from support.wire import Answer, Last, wire_server

SEARCH, VERSION = "/api/2.0/mlflow/experiments/search", "/version"
LOGIN_PAGE = b'<html><form action="/login"><input type="password"></form></html>'
OAUTH = "https://sso.example/oauth2/authorize?client_id=mlflow"
HTML = "Content-Type: text/html"
THREE_LINES = r"Write (\S+) as three lines: (.*) \(with %% for a %\)"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private certificate authority."""
    return authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def showing(folder: Path, uri: str, **variables: str) -> Iterator[Server]:
    """A Jupyter server whose store is the server at `uri`."""
    with mlflow_of(folder, MLFLOW_BACKEND_STORE_URI=uri, **variables) as jupyter:
        yield jupyter


def check(folder: Path, uri: str, reason: str, remedy: str, **variables: str) -> None:
    """Check the page and the answer to a program."""
    with showing(folder, uri, **variables) as jupyter:
        began = time.monotonic()
        status = jupyter.wait_until("failed")
        seconds = time.monotonic() - began
        page = jupyter.request("/", headers=PAGE)[2]
        code, _, body = jupyter.request("/api/2.0/mlflow/experiments/search")
    assert reason in status["reason"]
    assert remedy in status["remedy"]
    assert seconds < 20
    assert 'data-state="failed"' in page
    assert code == 503
    assert reason in body.replace('\\"', '"')
    assert "secret" not in page + body


def follow(folder: Path, uri: str, **variables: str) -> None:
    """Follow a remedy: with this address and these variables, the server is shown."""
    (corrected := folder / "corrected").mkdir()
    with showing(corrected, uri, **variables) as jupyter:
        jupyter.wait_until("ready")


def everything(told: Answer) -> dict[str, Answer]:
    return {"/": told, VERSION: told, SEARCH: told}


def redirect(location: str) -> bytes:
    return wire.answer(b"", f"Location: {location}", status="302 Found")


@pytest.mark.parametrize(
    ("uri", "reason", "remedy"),
    [
        (
            "http://no-such-host.invalid",
            "The server http://no-such-host.invalid cannot be used: ",
            "URI",
        ),
        ("http://127.0.0.1:1", "refuses the connection", "Check that it is running"),
        ("http://me:secret@127.0.0.1:1/x", "The server http://127.0.0.1:1/x refuses", "MLFLOW"),
        ("http://192.0.2.1", "", "correct the server's address"),  # no route, or no answer
        ("http://host:port", "cannot be read: ", "MLFLOW_TRACKING_URI"),
        ("HTTPS://", "cannot be read: ", "c.MLflowProxy.backend_store_uri"),
    ],
)
def test_an_address_without_a_server(tmp_path: Path, uri: str, reason: str, remedy: str) -> None:
    check(tmp_path, uri, reason, remedy)


def test_an_address_that_is_copied_from_the_dashboard_is_cut_off(tmp_path: Path) -> None:
    with wire_server() as server:
        wrong = f"{server.url}/#/experiments/1"
        reason, remedy = "it goes on after the path, with ? or #", "Correct MLFLOW_TRACKING_URI or "
        check(tmp_path, wrong, reason, remedy)
        follow(tmp_path, wrong.partition("#")[0])


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        check(tmp_path, uri, "does not answer in time", "Check that it is running")


def test_a_server_that_is_started_and_recovers_is_shown(tmp_path: Path) -> None:
    with socket.socket() as closed, ExitStack() as stack:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        jupyter = stack.enter_context(showing(tmp_path, f"http://localhost:{port}"))
        told = jupyter.wait_until("failed")
        assert "refuses the connection" in told["reason"]
        assert told["remedy"].startswith("Check that it is running and reachable")
        closed.close()
        server = stack.enter_context(wire_server(port=port))
        good = dict(server.answers)
        server.answers.update(everything(wire.answer(b"", status="502 Bad Gateway")))
        jupyter.try_again()
        told = jupyter.wait_until("failed")
        assert "answers with the error 502" in told["reason"]
        assert told["remedy"].startswith("Try again a little later")
        server.answers = good
        jupyter.try_again()
        jupyter.wait_until("ready")


@pytest.mark.parametrize(
    ("answers", "reason", "remedy"),
    [
        (
            everything(wire.answer(b"", status="401 Unauthorized")),
            "does not accept a request without credentials",
            "~/.mlflow/credentials",
        ),
        (
            {SEARCH: wire.answer(b"Invalid Host header - x", status="403 Forbidden")},
            "does not know that it is reached as localhost:",
            "--allowed-hosts localhost:",
        ),
        (
            everything(wire.answer(b"<html>Welcome to nginx!</html>", HTML)),
            "There is no dashboard of MLflow at http://localhost:",
            "MLFLOW_TRACKING_URI",
        ),
        (
            everything(wire.json(b'{"version": "8.1"}')),
            "There is no dashboard",
            "MLFLOW_TRACKING_URI",
        ),
        (
            everything(wire.answer(LOGIN_PAGE, HTML)),
            "another page answers there",
            "If it is a login, set MLFLOW_TRACKING_TOKEN",
        ),
        (
            everything(wire.answer(LOGIN_PAGE, HTML, status="403 Forbidden")),
            "does not permit a request without credentials",
            "MLFLOW_TRACKING_TOKEN",
        ),
        (
            everything(redirect(OAUTH)),
            "redirects to https://sso.example/oauth2/authorize",
            "If it is a login, set MLFLOW_TRACKING_TOKEN",
        ),
        (everything(redirect("/login?next=/")), "redirects to http://localhost:", "If it is a"),
        (
            everything(redirect("https://localhost/")),
            "redirects to https://localhost",
            "correct the server's address",
        ),
        (everything(redirect("/mlflow/")), "redirects to http://localhost:", "correct the"),
        (
            everything(wire.answer(b"", status="502 Bad Gateway")),
            "answers with the error 502",
            "Try again",
        ),
        (
            everything(wire.answer(b"", status="500 Internal Server Error")),
            "answers with the error 500",
            "Try again",
        ),
        (
            everything(Last(b"SSH-2.0-OpenSSH_9.2\r\n")),
            "cannot be used: ",
            "MLFLOW_TRACKING_URI",
        ),
        (everything(Last(b"")), "Server disconnected", "https://"),
        (
            everything(
                wire.answer(
                    b"The plain HTTP request was sent to HTTPS port", status="400 Bad Request"
                )
            ),
            "plain HTTP request was sent to HTTPS port",
            "https://",
        ),
        (
            {"/": wire.answer(b"", status="404 Not Found")},
            "There is no dashboard of MLflow at",
            "c.MLflowProxy.backend_store_uri",
        ),
    ],
)
def test_a_server_that_cannot_be_shown(
    tmp_path: Path, answers: dict[str, Answer], reason: str, remedy: str
) -> None:
    with wire_server() as server:
        server.answers.update(answers)
        check(tmp_path, server.url, reason, remedy)


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"MLFLOW_TRACKING_TOKEN": "secret"}, "the credentials in MLFLOW_TRACKING_TOKEN"),
        (
            {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"},
            "in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        ({"MLFLOW_TRACKING_TOKEN": "secret\n"}, "have a line break"),
        ({"MLFLOW_TRACKING_AUTH": "none-such"}, "no such provider is installed"),
        ({"HTTP_PROXY": "socks5://me:secret@h:1"}, "The proxy for http://localhost:"),
        ({"HTTP_PROXY": "http://me:secret@127.0.0.1:1"}, "The proxy on the way to"),
    ],
)
def test_a_variable_that_cannot_be_used(
    tmp_path: Path, variables: dict[str, str], reason: str
) -> None:
    with wire_server() as server:
        server.answers.update(everything(wire.answer(b"", status="401 Unauthorized")))
        none = dict.fromkeys(("NO_PROXY", "no_proxy"), "")
        check(tmp_path, server.url, reason, "", **{**none, **variables})


def test_a_permission_that_the_administrator_grants_is_enough(tmp_path: Path) -> None:
    with wire_server() as server:
        granted = dict(server.answers)
        server.answers[SEARCH] = wire.answer(b"", status="403 Forbidden")
        with showing(tmp_path, server.url, MLFLOW_TRACKING_TOKEN="secret") as jupyter:
            told = jupyter.wait_until("failed")
            refused = "does not permit the credentials in MLFLOW_TRACKING_TOKEN to see its"
            assert refused in told["reason"]
            assert told["remedy"].startswith("Ask its administrator for the permission.")
            server.answers = granted
            jupyter.try_again()
            jupyter.wait_until("ready")


def test_a_server_with_two_addresses_is_shown_once_both_are_set(tmp_path: Path) -> None:
    with wire_server(prefix="/mlflow") as server:  # which has its API at the root
        root = server.url.removesuffix("/mlflow")
        server.answers[SEARCH] = server.answers.pop(f"/mlflow{SEARCH}")
        server.answers.update({"/": wire.answer(b"", status="404 Not Found")})
        with showing(tmp_path, root) as jupyter:
            told = jupyter.wait_until("failed")
        assert "There is no dashboard of MLflow at" in told["reason"]
        both = r"set both: (\w+) to that of clients, and c\.MLflowProxy\.(\w+) to the dashboard's"
        ((of_clients, setting),) = re.findall(both, told["remedy"])
        uris = {of_clients: root, f"MLFLOW_{setting.upper()}": server.url}
        (corrected := tmp_path / "corrected").mkdir()
        with mlflow_of(corrected, **uris) as jupyter:
            jupyter.wait_until("ready")
            assert jupyter.request(SEARCH)[0] == 200
            assert server.requests[-1].target == SEARCH


def asking_for(authorization: str, answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """`answers` to requests with this header; 401 for others."""

    def ask(received: wire.Received) -> bytes | None:
        if received.all("authorization") == [authorization]:
            return answers[received.target.partition("?")[0]]
        return wire.answer(b"", "WWW-Authenticate: Basic", status="401 Unauthorized")

    return dict.fromkeys(answers, ask)


def test_credentials_in_the_file_are_enough(tmp_path: Path) -> None:
    with wire_server() as server, showing(tmp_path, server.url) as jupyter:
        # Basic: me:secret%
        server.answers = asking_for("Basic bWU6c2VjcmV0JQ==", {**server.answers, "/x": wire.json()})
        told = jupyter.wait_until("failed")
        assert "without credentials" in told["reason"]
        # As the page has it: "Write … as three lines: [mlflow], mlflow_tracking_username = …, …"
        path, lines = re.findall(
            r"Write (\S+) as three lines: (.*) \(with %% for a %\)", told["remedy"]
        )[0]
        text = lines.replace(", ", "\n").replace("…", "me", 1).replace("…", "{}")
        file = tmp_path / "home" / path.removeprefix("~/")
        file.parent.mkdir()
        file.write_text(text.partition("\n")[2])  # without the first line
        jupyter.try_again()
        told = jupyter.wait_until("failed")
        assert told["reason"].startswith(
            "The credentials in ~/.mlflow/credentials cannot be read: "
        )
        assert lines in told["remedy"]
        file.write_text(text.format("secret%%"))
        jupyter.try_again()
        jupyter.wait_until("ready")
        # While it runs, as well.
        file.write_text(text.format("outdated"))
        assert jupyter.request("/x")[0] == 401
        file.write_text(text.format("secret%%"))
        assert jupyter.request("/x")[0] == 200
        assert "secret" not in jupyter.log.read_text()


def test_a_token_without_its_line_break_is_enough(tmp_path: Path) -> None:
    with wire_server() as server:
        server.answers = asking_for("Bearer secret", server.answers)
        reason, remedy = (
            "in MLFLOW_TRACKING_TOKEN have a line break or",
            "Remove it.",
        )
        check(tmp_path, server.url, reason, remedy, MLFLOW_TRACKING_TOKEN="secret\n")
        follow(tmp_path, server.url, MLFLOW_TRACKING_TOKEN="secret")


def test_the_address_that_a_redirect_names_is_shown(tmp_path: Path) -> None:
    with wire_server(prefix="/mlflow") as server:
        root = server.url.removesuffix("/mlflow")
        server.answers.update(everything(redirect("/mlflow/")))
        with showing(tmp_path, root) as jupyter:
            told = jupyter.wait_until("failed")
            assert "If MLflow is there, correct the server's address" in told["remedy"]
            (target,) = re.findall(r"redirects to (\S+)\.$", told["reason"])
        assert target == server.url
        follow(tmp_path, target)


def test_a_login_lets_a_token_pass(tmp_path: Path) -> None:
    def ask(received: wire.Received) -> bytes:
        has_token = received.all("authorization") == ["Bearer secret"]
        path = received.target.partition("?")[0]
        return answers.get(path, wire.json()) if has_token else redirect(OAUTH)

    with wire_server() as server:
        answers = dict(server.answers)
        server.answers = dict.fromkeys(answers, ask)
        check(tmp_path, server.url, "redirects to", "set MLFLOW_TRACKING_TOKEN in Jupyter's")
        follow(tmp_path, server.url, MLFLOW_TRACKING_TOKEN="secret")


def proxy_variables(proxy: str, excepted: str = "") -> dict[str, str]:
    """Variables of the `proxy` for all hosts but `excepted`."""
    proxies = dict.fromkeys(("HTTP_PROXY", "http_proxy"), proxy)
    return {**proxies, **dict.fromkeys(("NO_PROXY", "no_proxy"), excepted)}


def test_a_server_that_is_added_to_no_proxy_is_reached(tmp_path: Path) -> None:
    with wire_server() as server:
        reason, remedy = "The proxy on the way to", "add the server to NO_PROXY"
        check(tmp_path, server.url, reason, remedy, **proxy_variables("http://127.0.0.1:1"))
        follow(tmp_path, server.url, **proxy_variables("http://127.0.0.1:1", "localhost"))


# TLS


@contextmanager
def tls_server(certificate: Path, clients: Path | None = None) -> Iterator[wire.WireServer]:
    """A server with `certificate`; with `clients` it wants one that these have signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED if clients else ssl.CERT_NONE
    with wire_server(context=context) as server:
        yield server


def test_a_private_authority_must_be_named(tmp_path: Path, ca: Authority) -> None:
    with tls_server(ca.issue("localhost")) as server:
        remedy = "Set MLFLOW_TRACKING_SERVER_CERT_PATH (or REQUESTS_CA_BUNDLE)"
        reason = "certificate of https://localhost:"
        check(tmp_path, server.url, reason, remedy, REQUESTS_CA_BUNDLE="")
        name = "MLFLOW_TRACKING_SERVER_CERT_PATH"
        with showing(tmp_path, server.url, **{name: str(tmp_path / "ca.pem")}) as jupyter:
            told = jupyter.wait_until("failed")
            assert told["reason"].startswith(f"The file of {name}, {tmp_path}/ca.pem, cannot be")
            assert "name a PEM file with certificates of the authorities to" in told["remedy"]
            shutil.copy(ca.certificate, tmp_path / "ca.pem")
            jupyter.try_again()
            jupyter.wait_until("ready")
        for number, variables in enumerate(
            [
                {"REQUESTS_CA_BUNDLE": str(ca.certificate)},
                {"CURL_CA_BUNDLE": str(ca.certificate), "REQUESTS_CA_BUNDLE": ""},
                {"MLFLOW_TRACKING_INSECURE_TLS": "TRUE"},
            ]
        ):
            folder = tmp_path / str(number)
            folder.mkdir()
            with showing(folder, server.url, **variables) as jupyter:
                jupyter.wait_until("ready")


def test_a_certificate_for_another_name(tmp_path: Path, ca: Authority) -> None:
    with tls_server(ca.issue("localhost")) as server:
        trusted = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(ca.certificate)}
        number = server.url.replace("localhost", "127.0.0.1")
        remedy = "If it is for another name, correct the server's address"
        check(tmp_path, number, "IP address mismatch", remedy, **trusted)
        follow(tmp_path, server.url, **trusted)


def test_a_certificate_that_has_expired(tmp_path: Path, ca: Authority) -> None:
    with tls_server(ca.issue("localhost", days=-1)) as server:
        trusted = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(ca.certificate)}
        check(tmp_path, server.url, "certificate has expired", "renew it", **trusted)
        assert server.context
        server.context.load_cert_chain(ca.issue("localhost"))
        follow(tmp_path, server.url, **trusted)


def test_a_server_that_wants_a_certificate(tmp_path: Path, ca: Authority) -> None:
    with tls_server(ca.issue("localhost"), ca.certificate) as server:
        trusted = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(ca.certificate)}
        named = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
        check(tmp_path, server.url, "The server", named, **trusted)
        follow(tmp_path, server.url, **trusted, **{named: str(ca.issue("me"))})


@pytest.mark.parametrize(
    "variables",
    [
        {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/no/such.pem"},
        {"REQUESTS_CA_BUNDLE": "/no/such.pem"},
        {"MLFLOW_TRACKING_CLIENT_CERT_PATH": "/no/such.pem"},
        {"MLFLOW_TRACKING_CLIENT_CERT_PATH": "/etc/passwd"},
    ],
)
def test_a_tls_variable_that_cannot_be_used(tmp_path: Path, variables: dict[str, str]) -> None:
    (name, *_) = variables
    check(tmp_path, "https://localhost:1", name, "", **variables)


def test_http_where_tls_is_spoken_and_the_other_way(tmp_path: Path, ca: Authority) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with tls_server(ca.issue("localhost")) as server:
        uri = server.url.replace("https", "http")
        check(tmp_path, uri, "The server http", "https://")
        follow(tmp_path, server.url, MLFLOW_TRACKING_SERVER_CERT_PATH=str(ca.certificate))
    with wire_server() as server:
        uri = server.url.replace("http", "https")
        check(folder, uri, "The server", "http://")
        follow(folder, server.url)


def test_a_proxy_is_used_once_it_is_corrected(tmp_path: Path) -> None:
    with wire_server() as server:
        target = {"/version": server.answers["/version"]}
        proxied = {f"http://mlflow.example{path}": told for path, told in server.answers.items()}
        server.answers.update({**target, **proxied})
        proxy = server.url.replace("://", "://me:secret@")
        wrong = proxy.replace("http:", "socks5:")
        reason, remedy = "is not an HTTP proxy: its scheme is socks5", "Set HTTP_PROXY to an HTTP"
        check(tmp_path, "http://mlflow.example", reason, remedy, **proxy_variables(wrong))
        follow(tmp_path, "http://mlflow.example", **proxy_variables(proxy))
        received = server.last("http://mlflow.example/version")
        assert received.all("proxy-authorization") == ["Basic bWU6c2VjcmV0"]
        assert received.all("host") == ["mlflow.example"]
