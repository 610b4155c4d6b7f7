"""Invalid requests, and information about the server."""

from __future__ import annotations

from typing import Any

from mlflow.tracking.client import MlflowClient
from tracking import ODD

API = "/api/2.0/mlflow/"
JSON = {"Content-Type": "application/json"}


def refused(client: MlflowClient, rest: Any, _: Any) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        for path in (
            f"{API}none",
            f"{API}runs/get",
            f"{API}runs/create",
            "/none/ä b",
            "/api/9.0/x",
        ):
            rest(method, path)
    for data in (b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"experiment_id": 5}'):
        rest("POST", f"{API}runs/get", data=data, headers=JSON)
        rest("POST", f"{API}experiments/create", data=data, headers=JSON)
    for body in ({"none": 1}, {"experiment_id": None}, {"experiment_id": "x", "start_time": "y"}):
        rest("POST", f"{API}runs/create", json={"run_name": "errors", **body})
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/JSON; a=b"):
        headers = {"Content-Type": media_type}
        rest("POST", f"{API}runs/create", data=b'{"experiment_id": "none"}', headers=headers)
    rest("GET", f"{API}runs/get?run_id=ä&run_id=b&none=%zz&=&&")
    rest("GET", f"{API}experiments/get", params={"experiment_id": ODD})
    rest("GET", f"{API}experiments/get-by-name", params={"experiment_name": ODD})
    rest("GET", f"{API}/experiments//get")
    rest("POST", f"{API}experiments/search", json={"max_results": -1})
    rest("POST", f"{API}experiments/search", json={"max_results": 10, "page_token": "nonsense"})


def about(client: MlflowClient, rest: Any, _: Any) -> None:
    for path in ("/health", "/version", "/metrics", "/api/3.0/mlflow/server-info"):
        rest("GET", path)
    query = 'query { mlflowGetExperiment(input: {experimentId: "0"}) { experiment { name } } }'
    rest("POST", "/graphql", json={"query": query})
    rest("POST", "/graphql", json={"query": "query {"})


FAMILIES = {"errors": refused, "about the server": about}
