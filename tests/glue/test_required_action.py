"""What Jupyter's authorizer is asked about a request for MLflow."""

from __future__ import annotations

import pytest

from mlflow_proxy.web.access import required_action

API = "/ajax-api/2.0/mlflow"
API_3 = "/ajax-api/3.0/mlflow"


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("GET", "/", "read"),
        ("HEAD", f"{API}/runs/get", "read"),
        ("GET", f"{API_3}/assistant/config", "read"),
        ("POST", f"{API}/runs/search", "read"),
        ("POST", "/api/2.0/mlflow/experiments/search", "read"),
        ("POST", f"{API_3}/traces/search", "read"),
        ("POST", f"{API_3}/traces/batchGetInfos", "read"),
        ("POST", f"{API}/logged-models/search", "read"),
        ("POST", f"{API}/registered-models/get-latest-versions", "read"),
        ("POST", "/graphql", "read"),
        ("POST", f"{API}/experiments/create", "write"),
        ("POST", f"{API}/runs/delete", "write"),
        ("PATCH", f"{API}/logged-models/m-1", "write"),
        ("DELETE", f"{API}/registered-models/delete", "write"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/search", "write"),
        # Names that end as a search does.
        ("POST", "/ajax-api/2.0/mlflow-artifacts/mpu/create/1/r/runs/search", "write"),
        ("POST", "/ajax-api/2.0/mlflow-artifacts/mpu/create/x/api/2.0/mlflow/runs/search", "write"),
        ("POST", f"{API}/webhooks/search/test", "write"),
        ("PUT", f"{API}/runs/search", "write"),
        ("POST", f"{API_3}/assistant/message", "execute"),
        ("PUT", f"{API_3}/assistant/config", "execute"),
        ("POST", f"/x{API_3}/assistant/message", "execute"),
        ("POST", f"{API_3}/scorer/invoke", "execute"),
        ("POST", f"{API_3}/genai/evaluate/invoke", "execute"),
        ("POST", f"{API_3}/prompt-optimization/jobs", "execute"),
        ("PUT", f"{API_3}/scorers/online-config", "execute"),
        ("POST", "/ajax-api/3.0/jobs/", "execute"),
        ("PATCH", "/ajax-api/3.0/jobs/cancel/1", "execute"),
        ("POST", f"/{API_3}/scorer/invoke", "execute"),
        ("POST", "/ajax-api//3.0%2fjobs", "execute"),
        ("PUT", "/%61pi/3.0/mlflow/scorers/online-config", "execute"),
        ("POST", "//ajax-api/2.0/mlflow/runs/search", "write"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/r/artifacts/api/3.0/jobs", "write"),
        ("POST", "/gateway/x/mlflow/invocations", "write"),
    ],
)
def test_searches_are_read_all_else_is_write_and_programs_execute(
    method: str, path: str, action: str
) -> None:
    assert required_action(method, path) == action
