"""What becomes of artifact URIs and folders in the REST API's JSON."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from mlflow_proxy.server.middleware.artifact_uris import ArtifactUris, local_folder

FOLDERS = ["/home/ä b/mlartifacts", "file:///home/a/mlartifacts", "/日本"]
API = "/api/2.0/mlflow/runs/get"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the request's body, or 400 where that is no path of the folder."""
    body = (await receive())["body"]
    headers = dict(scope["headers"])
    assert int(headers.get(b"content-length", len(body))) == len(body)
    status = 400 if b"refused" in body and b"mlflow-artifacts" not in body else 200
    middle = len(body) // 2
    headers = [(b"content-type", headers[b"content-type"]), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body[:middle], "more_body": True})
    await send({"type": "http.response.body", "body": body[middle:]})


def answer_to(
    app: Any, body: bytes, path: str = API, media_type: bytes = b"application/json"
) -> tuple[int, bytes]:
    """The answer of `app`; its length is that of its body."""
    headers = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    pieces = [body[:7], body[7:]]
    answer: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        answer.append(message)

    scope = {"type": "http", "path": path, "query_string": b"", "headers": headers}
    asyncio.run(app(scope, receive, send))
    start, *rest = answer
    whole = b"".join(message["body"] for message in rest)
    assert int(dict(start["headers"])[b"content-length"]) == len(whole)
    return start["status"], whole


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("path", ["/", "/0", "/0/a b/ä/日本/𝄞.txt", "/it's"])
def test_a_client_reads_what_it_wrote_and_the_store_has_a_folder(folder: str, path: str) -> None:
    uris = ArtifactUris(echo, folder)
    inner = json.dumps({"uri": f"mlflow-artifacts:{path}"})
    sent = {"a": f"mlflow-artifacts:{path}", "b": [{"source": inner}], "c": "…"}
    for is_ascii in (True, False):
        body = json.dumps(sent, ensure_ascii=is_ascii).encode()
        stored = json.loads(uris.with_folders(body))
        assert stored["a"] == f"{folder}{path}"
        assert json.loads(stored["b"][0]["source"]) == {"uri": f"{folder}{path}"}
        for answer_is_ascii in (True, False):
            answer = json.dumps(stored, ensure_ascii=answer_is_ascii).encode()
            assert json.loads(uris.with_uris(answer)) == sent


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
def test_what_may_be_no_path_of_the_folder_is_left_to_mlflow(uri: str) -> None:
    body = b'{"source": "%s"}' % uri.encode()
    assert ArtifactUris(echo, "/root").with_folders(body) == body


@pytest.mark.parametrize("text", ["/rootless/a", "see /root/a", "/other/root/a", "a=/root/a"])
def test_only_what_is_in_the_folder_becomes_a_uri(text: str) -> None:
    body = json.dumps({"value": text}).encode()
    assert ArtifactUris(echo, "/root").with_uris(body) == body


def test_the_folder_itself_becomes_a_uri() -> None:
    assert ArtifactUris(echo, "/root").with_uris(b'["/root"]') == b'["mlflow-artifacts:/"]'


def test_both_ways() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        seen.append(message["body"])

        async def again() -> Any:
            return message

        await echo(scope, again, send)

    body = b'{"artifact_location": "mlflow-artifacts:/a"}'
    assert answer_to(ArtifactUris(app, "/root"), body) == (200, body)
    assert seen == [b'{"artifact_location": "/root/a"}']


def test_what_mlflow_refuses_for_the_folder_it_is_asked_for_the_uri() -> None:
    body = b'{"artifact_location": "mlflow-artifacts:/refused"}'
    assert answer_to(ArtifactUris(echo, "/root"), body) == (200, body)


def test_a_refusal_is_mlflows() -> None:
    body = b'{"artifact_location": "/root2/refused"}'
    assert answer_to(ArtifactUris(echo, "/root"), body) == (400, body)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        (API, b"application/octet-stream"),
        ("/ajax-api/2.0/mlflow/runs/get", b"application/json"),
        ("/graphql", b"application/json"),
        ("/v1/traces", b"application/json"),
        ("/api/2.0/mlflow-artifacts/artifacts/0/a.json", b"application/json"),
        ("/api/2.0/mlflow/logged-models/m-1/artifacts/files", b"application/json"),
        ("/api/3.0/mlflow/get-trace-artifact", b"application/json"),
    ],
)
def test_artifacts_and_the_dashboard_are_passed_on_as_they_are(
    path: str, media_type: bytes
) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"] + (await receive())["body"])

        async def again() -> Any:
            return {"body": seen[0]}

        await echo(scope, again, send)

    body = b'["/root/a", "mlflow-artifacts:/a"]'
    assert answer_to(ArtifactUris(app, "/root"), body, path, media_type) == (200, body)
    assert seen == [body]


@pytest.mark.parametrize("root", ["s3://bucket/a", "mlflow-artifacts:/", "/", 'a"b', '/a"b'])
def test_another_store_is_called_by_its_name(root: str) -> None:
    assert local_folder(root) == ""


def test_what_a_client_looks_for_is_a_folder() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["query_string"])

    def look_for(text: str) -> str:
        query = urlencode({"filter": text, "page_token": "a=b"})
        scope = {"type": "http", "path": API, "query_string": query.encode(), "headers": []}
        asyncio.run(ArtifactUris(app, "/ä b")(scope, app, app))
        return parse_qs(seen.pop().decode())["filter"][0]

    assert look_for("a = 'mlflow-artifacts:/ü/%'") == "a = '/ä b/ü/%'"
    assert look_for("mlflow-artifacts:/a") == "mlflow-artifacts:/a"
    body = json.dumps({"filter": "a LIKE 'mlflow-artifacts:/0/%' AND b = 'it's'"}).encode()
    stored = json.loads(ArtifactUris(app, "/ä").with_folders(body))
    assert stored == {"filter": "a LIKE '/ä/0/%' AND b = 'it's'"}


def test_a_uri_of_megabytes_costs_time_in_proportion() -> None:
    """The memory of a match grew with it: 9 GB for 50 MB."""
    uris = ArtifactUris(echo, "/root")
    body = b'{"source": "mlflow-artifacts:/%s"}' % (b"a" * 20_000_000)
    tracemalloc.start()
    try:
        assert uris.with_folders(body) == body
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
    short = b'["mlflow-artifacts:/%s"]' % (b"a" * 4000)
    assert uris.with_folders(short) == short.replace(b"mlflow-artifacts:", b"/root")


def test_a_client_that_goes_asks_nothing() -> None:
    async def app(*_: Any) -> None:
        raise AssertionError("half a request")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "path": API, "query_string": b"", "headers": headers}
    asyncio.run(ArtifactUris(app, "/root")(scope, receive, app))
