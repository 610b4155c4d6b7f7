"""A hub with a domain for each user: other users' pages have another origin, so frames work."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.hub import hub_server
from support.lab import PAGE
from support.waiting import wait_for

pytestmark = pytest.mark.hub


def test_frames_work_with_a_domain_for_each_user(tmp_path: Path) -> None:
    with hub_server(tmp_path, subdomains=True) as hub:
        hub.start_server("judy")
        token = {"Authorization": f"token {hub.token('judy')}"}
        with hub.session_of("judy", **token) as session:

            def policy() -> str:
                answer = session.get(hub.mlflow("judy"), headers=PAGE, timeout=30)
                return answer.headers["Content-Security-Policy"] if answer.ok else ""

            assert "frame-ancestors 'self'" in wait_for(policy, 60)
