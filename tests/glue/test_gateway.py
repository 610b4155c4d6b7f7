"""What the credential for the gateway opens."""

from __future__ import annotations

import pytest

from mlflow_proxy.addresses import GATEWAY_PATH, gateway_credential


@pytest.mark.parametrize(
    "path",
    [
        "/gateway/chat/mlflow/invocations",
        "/gateway/mlflow/v1/chat/completions",
        "/gateway/gemini/v1beta/models/my.end-point_1:generateContent",
        "/gateway/proxy/claude/v1/messages",
        "/gateway/proxy/x/a%20b",
    ],
)
def test_the_paths_of_the_gateway(path: str) -> None:
    assert GATEWAY_PATH.fullmatch(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/gateway",
        "/gateway/",
        "/gatewayx/a",
        "/api/2.0/mlflow/runs/get",
        "/gateway/../api/2.0/mlflow/runs/get",
        "/gateway/a/..",
        "/gateway/./a",
        "/gateway//ajax-api/2.0/mlflow/runs/get",
        "//gateway/a",
        "/gateway/%2e%2e/api",
        "/gateway/%2E./api",
        "/gateway/a%2f..%2f..%2fapi",
        "/gateway/%252e%252e/api",
        "/gateway/..\\\\api",
        "/gateway/a%5c..",
        "/gateway/a%zz",
        "/gateway/ä",
        "/gateway/a\n",
    ],
)
def test_no_other_path(path: str) -> None:
    assert not GATEWAY_PATH.fullmatch(path)


def test_each_credential_has_another_for_the_gateway() -> None:
    found = {gateway_credential("a"), gateway_credential("b"), "a", "b"}
    assert len(found) == 4
    assert gateway_credential("a") == gateway_credential("a")
