"""Artifact URIs and folders in the REST API's JSON are mapped to each other."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from mlflow_proxy.server.middleware.artifact_uris import ArtifactUris, local_folder
from support.asgi import Answer, Recorder, ask, read_body, respond

FOLDERS = ["/home/ä b/mlartifacts", "file:///home/a/mlartifacts", "/日本"]
API = "/api/2.0/mlflow/runs/get"
JSON = (b"content-type", b"application/json")
OCTETS = (b"content-type", b"application/octet-stream")


def post(
    app: Any, folder: str, body: bytes, path: str = API, media_type: tuple[bytes, bytes] = JSON
) -> Answer:
    """Send `body` to `app` through the middleware."""
    headers = [media_type, (b"content-length", b"%d" % len(body))]
    return ask(ArtifactUris(app, folder), path, method="POST", headers=headers, body=body)


def received(folder: str, body: bytes, path: str = API) -> bytes:
    """The body that MLflow receives for a client's `body`."""
    app = Recorder(JSON, body=b"{}")
    assert post(app, folder, body, path).status == 200
    (result,) = app.bodies
    return result


def shown(folder: str, body: bytes, path: str = API) -> bytes:
    """The body that a client receives for MLflow's `body`."""
    return ask(ArtifactUris(Recorder(JSON, body=body), folder), path).body


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    """Respond with the request's body: 400 if it refuses the folder, 200 otherwise."""
    body = await read_body(scope, receive)
    status = 400 if b"refused" in body and b"mlflow-artifacts" not in body else 200
    await respond(send, status, (JSON,), body)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("path", ["/", "/0", "/0/a b/ä/日本/𝄞.txt", "/it's"])
def test_a_client_reads_the_uri_that_it_wrote_and_the_store_has_a_folder(
    folder: str, path: str
) -> None:
    inner = json.dumps({"uri": f"mlflow-artifacts:{path}"})
    sent = {"a": f"mlflow-artifacts:{path}", "b": [{"source": inner}], "c": "…"}
    for is_ascii in (True, False):
        body = json.dumps(sent, ensure_ascii=is_ascii).encode()
        stored = json.loads(received(folder, body))
        assert stored["a"] == f"{folder}{path}"
        assert json.loads(stored["b"][0]["source"]) == {"uri": f"{folder}{path}"}
        for answer_is_ascii in (True, False):
            answer = json.dumps(stored, ensure_ascii=answer_is_ascii).encode()
            assert json.loads(shown(folder, answer)) == sent


@pytest.mark.parametrize(
    "path",
    [
        API,
        "/api/3.0/mlflow/traces/search",
        "/api/2.0/mlflow/artifacts/list",
        "/api/2.0/mlflow/artifacts/presigned-download-url",
        "/api/2.0/mlflow/logged-models/m-1/artifacts/directories",
        "/api/2.0/mlflow/experiments/a\nb",
    ],
)
def test_a_request_of_the_rest_api_is_mapped(path: str) -> None:
    assert received("/root", b'["mlflow-artifacts:/a"]', path) == b'["/root/a"]'
    assert shown("/root", b'["/root/a"]', path) == b'["mlflow-artifacts:/a"]'


def test_a_store_that_names_no_folder_gets_what_the_client_has_sent() -> None:
    app = Recorder(JSON, body=b'["/root/a"]')
    body = b'["mlflow-artifacts:/a"]'
    headers = [JSON, (b"content-length", b"%d" % len(body))]
    middleware = ArtifactUris(app, "/root", keeps_folders=False)
    answer = ask(middleware, API, method="POST", headers=headers, body=body)
    assert app.bodies == [body]
    assert answer.body == body


@pytest.mark.parametrize(
    "uri",
    [
        "mlflow-artifacts:/../etc",
        "mlflow-artifacts:/a/..",
        "mlflow-artifacts:/a/../../etc",
        r"mlflow-artifacts:\u002f..\u002fetc",
        r"mlflow-artifacts:/\u002e\u002e/etc",
        r"mlflow-artifacts:\/a",
        r"mlflow-artifacts:/a\\..\\b",
        "mlflow-artifacts:/%2e%2e/etc",
        "mlflow-artifacts:/a'/../../etc",
        "mlflow-artifacts:/a%'/..",
        "mlflow-artifacts:/a%2f..",
        "mlflow-artifacts:/a?b=/../c",
        "mlflow-artifacts:/a#b",
        "mlflow-artifacts://other.host/a",
        "mlflow-artifacts://other.host:5000/a",
        "mlflow-artifacts:///a",
        "mlflow-artifacts:a",
        "s3://bucket/a",
        "see mlflow-artifacts:/a",
    ],
)
def test_a_uri_that_may_lead_out_of_the_folder_reaches_mlflow_unchanged(uri: str) -> None:
    body = b'{"source": "%s"}' % uri.encode()
    assert received("/root", body) == body


@pytest.mark.parametrize("text", ["/rootless/a", "see /root/a", "/other/root/a", "a=/root/a"])
def test_a_text_that_is_no_path_of_the_folder_reaches_the_client_unchanged(text: str) -> None:
    body = json.dumps({"value": text}).encode()
    assert shown("/root", body) == body


def test_the_folder_itself_becomes_a_uri() -> None:
    assert shown("/root", b'["/root"]') == b'["mlflow-artifacts:/"]'


def test_a_request_and_its_response_are_mapped_in_one_exchange() -> None:
    app = Recorder(JSON)
    body = b'{"artifact_location": "mlflow-artifacts:/a"}'
    answer = post(app, "/root", body)
    assert (answer.status, answer.body) == (200, body)
    assert app.bodies == [b'{"artifact_location": "/root/a"}']


def test_a_request_that_mlflow_refuses_with_the_folder_is_repeated_with_the_uri() -> None:
    body = b'{"artifact_location": "mlflow-artifacts:/refused"}'
    answer = post(refusing, "/root", body)
    assert (answer.status, answer.body) == (200, body)


def test_a_refusal_of_mlflow_reaches_the_client() -> None:
    body = b'{"artifact_location": "/root2/refused"}'
    answer = post(refusing, "/root", body)
    assert (answer.status, answer.body) == (400, body)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        (API, OCTETS),
        ("/ajax-api/2.0/mlflow/runs/get", JSON),
        ("/graphql", JSON),
        ("/v1/traces", JSON),
        ("/api/2.0/mlflow-artifacts/artifacts/0/a.json", JSON),
        ("/api/2.0/mlflow/logged-models/m-1/artifacts/files", JSON),
        ("/api/3.0/mlflow/get-trace-artifact", JSON),
    ],
)
def test_artifacts_and_the_dashboards_requests_are_passed_on_unchanged(
    path: str, media_type: tuple[bytes, bytes]
) -> None:
    app = Recorder(media_type)
    body = b'["/root/a", "mlflow-artifacts:/a"]'
    answer = post(app, "/root", body, path, media_type)
    assert (answer.status, answer.body) == (200, body)
    assert app.bodies == [body]


@pytest.mark.parametrize("root", ["s3://bucket/a", "mlflow-artifacts:/", "/", 'a"b', '/a"b', ""])
def test_an_artifact_root_that_is_no_local_folder_is_not_mapped(root: str) -> None:
    assert local_folder(root) == ""
    body = json.dumps({"a": "mlflow-artifacts:/b", "b": f"{root}/b"}).encode()
    assert received(root, body) == body
    assert shown(root, body) == body


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_artifact_root_that_is_a_local_folder_is_mapped(folder: str) -> None:
    assert local_folder(f"{folder}/") == folder
    assert received(f"{folder}/", b'["mlflow-artifacts:/a"]') == f'["{folder}/a"]'.encode()


def test_a_uri_in_a_search_filter_becomes_a_folder() -> None:
    def searched(text: str) -> str:
        app = Recorder(JSON, body=b"{}")
        query = urlencode({"filter": text, "page_token": "a=b"})
        ask(ArtifactUris(app, "/ä b"), API, query=query.encode())
        return parse_qs(app.scopes[0]["query_string"].decode())["filter"][0]

    assert searched("a = 'mlflow-artifacts:/ü/%'") == "a = '/ä b/ü/%'"
    assert searched("mlflow-artifacts:/a") == "mlflow-artifacts:/a"
    body = json.dumps({"filter": "a LIKE 'mlflow-artifacts:/0/%' AND b = 'it's'"}).encode()
    assert json.loads(received("/ä", body)) == {"filter": "a LIKE '/ä/0/%' AND b = 'it's'"}


def test_a_uri_of_megabytes_takes_little_memory() -> None:
    """The memory of a match was proportional to its length: 9 GB for 50 MB."""
    uris = ArtifactUris(Recorder(), "/root")
    body = b'{"source": "mlflow-artifacts:/%s"}' % (b"a" * 20_000_000)
    tracemalloc.start()
    try:
        assert uris.with_folders(body) == body
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    short = b'["mlflow-artifacts:/%s"]' % (b"a" * 4000)
    assert uris.with_folders(short) == short.replace(b"mlflow-artifacts:", b"/root")


def test_a_request_whose_client_disconnects_never_reaches_mlflow() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("half a request")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "path": API, "query_string": b"", "headers": [JSON]}
    asyncio.run(ArtifactUris(app, "/root")(scope, receive, app))
