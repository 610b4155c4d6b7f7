"""The sites that may frame our pages, by Jupyter's settings, on a hub and without one."""

from __future__ import annotations

import pytest

from mlflow_proxy.addresses import ARTIFACT_FRAME
from mlflow_proxy.web import access

OWN, FORBIDDEN = "frame-ancestors 'self'", "frame-ancestors 'none'"
LMS = "frame-ancestors 'self' https://lms.example.org"
WITHOUT = ("", "")
SHARED = ("/user/me/", "")
DOMAINS = ("/user/me/", "https://hub.example.org")


@pytest.mark.parametrize(
    ("hub", "policy", "directive"),
    [
        (WITHOUT, None, OWN),
        (WITHOUT, f"default-src *; {LMS}; report-uri /x", LMS),
        (WITHOUT, FORBIDDEN, FORBIDDEN),
        (WITHOUT, "default-src *", ""),
        (SHARED, None, FORBIDDEN),
        (SHARED, f"{FORBIDDEN}; report-uri /x", FORBIDDEN),
        (SHARED, LMS, LMS),
        (DOMAINS, None, OWN),
        (DOMAINS, FORBIDDEN, OWN),
        (DOMAINS, LMS, LMS),
    ],
)
def test_jupyters_settings_and_the_hub_decide(
    monkeypatch: pytest.MonkeyPatch, hub: tuple[str, str], policy: str | None, directive: str
) -> None:
    for name, value in zip(("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_HOST"), hub, strict=True):
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    headers = {} if policy is None else {access.POLICY: policy}
    assert access.frame_ancestors(headers) == directive
    assert access.may_frame_itself(headers) is (directive != FORBIDDEN)
    # The frame of HTML artifacts has no origin: other pages cannot read it.
    expected = OWN if directive == FORBIDDEN else directive
    assert access.frame_ancestors(headers, ARTIFACT_FRAME) == expected
