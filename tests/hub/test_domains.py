"""A hub with a domain for each user: pages of other users have another origin, so frames work."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.hub import hub_server
from support.lab import PAGE
from support.waiting import wait_for

pytestmark = pytest.mark.hub
POLICY = "Content-Security-Policy"


def test_frames_work_with_a_domain_for_each_user_only(tmp_path: Path) -> None:
    for subdomains in (True, False):
        home = tmp_path / str(subdomains)
        home.mkdir()
        with hub_server(home, subdomains=subdomains) as hub:
            hub.start_server("judy")
            token = {"Authorization": f"token {hub.token('judy')}"}
            url = hub.mlflow("judy")
            with hub.session_of("judy", **token) as session:

                def policy() -> str:
                    answer = session.get(url, headers=PAGE, timeout=30)
                    return answer.headers[POLICY] if "MLflow" in answer.text else ""

                expected = "frame-ancestors 'self'" if subdomains else "frame-ancestors 'none'"
                assert expected in wait_for(policy, 60)
