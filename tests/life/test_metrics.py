"""Metrics at Jupyter's /metrics, and what the examples and the reference say of them."""

from __future__ import annotations

import json
import re
from collections import deque
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from mlflow_proxy.metrics import DURATIONS, Metrics
from mlflow_proxy.status import LastUse, Status
from support.server import Server, server_of
from support.waiting import wait_for

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "examples" / "monitoring"
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"
NAME = re.compile(r"\bmlflow_proxy_\w+")
USED_LABEL = re.compile(r"(\w+)\s*(?:=|!=|=~|!~)\s*\"([^\"]*)\"")
CREATED = re.compile(r"_created$")  # prometheus_client adds one to each counter
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(jupyter: Server) -> Series:
    """The metrics of ours that a server exports, as Prometheus reads them."""
    answer = jupyter.lab.session.get(f"{jupyter.lab.url}/metrics", timeout=30)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if NAME.match(sample.name) and not CREATED.search(sample.name)
    }


def get(series: Series, name: str, **labels: str) -> float:
    return series[f"mlflow_proxy_{name}", tuple(sorted(labels.items()))]


def test_what_happens_is_counted(tmp_path: Path) -> None:
    with server_of("uvicorn_app", tmp_path, start=False) as jupyter:
        before = scrape(jupyter)
        assert get(before, "memory_bytes", part="mlflow") == 0
        assert get(before, "state", state="ready") == get(before, "unused_seconds") == 0

        def grown(series: Series, name: str, **labels: str) -> float:
            return get(series, name, **labels) - get(before, name, **labels)

        jupyter.start()
        jupyter.wait_until("ready")
        assert jupyter.request("/api/x", "POST", body="1234")[0] == 200
        ready = scrape(jupyter)
        assert get(ready, "state", state="ready") == 1
        assert get(ready, "state", state="idle") == 0
        assert 2**20 < get(ready, "memory_bytes", part="mlflow") < 2**30
        assert get(ready, "memory_bytes", part="jobs") == get(ready, "busy") == 0
        assert 0 <= get(ready, "unused_seconds") < 30
        assert grown(ready, "starts_total", reason="requested") == 1
        assert grown(ready, "start_duration_seconds_count") == 1
        assert 0 < grown(ready, "start_duration_seconds_sum") < 60
        assert grown(ready, "received_bytes_total", source="jupyter") == 4
        assert grown(ready, "sent_bytes_total", source="jupyter") > 0
        assert grown(ready, "requests_total", source="jupyter", status="2xx") >= 1

        jupyter.child.kill()
        wait_for(lambda: grown(scrape(jupyter), "starts_total", reason="crash") == 1)
        jupyter.wait_until("ready")
        with jupyter.sending("POST {path}/api/x HTTP/1.1\nContent-Length: 4", b"12"):
            came = {"source": "jupyter"}
            wait_for(lambda: grown(scrape(jupyter), "received_bytes_total", **came) == 6)
        aborted = {"source": "jupyter", "status": "aborted"}
        wait_for(lambda: grown(scrape(jupyter), "requests_total", **aborted) == 1)


@pytest.mark.parametrize(
    ("behaviour", "kind"), [("failing", "import"), ("outdated", "upgrade"), ("silent", "crash")]
)
def test_a_failure_is_counted_by_its_kind(tmp_path: Path, behaviour: str, kind: str) -> None:
    with server_of(behaviour, tmp_path, start=False) as jupyter:
        before = get(scrape(jupyter), "start_failures_total", kind=kind)
        jupyter.start()
        jupyter.wait_until("failed")
        series = scrape(jupyter)
        assert get(series, "start_failures_total", kind=kind) == before + 1
        assert get(series, "state", state="failed") == 1


def test_a_scrape_is_for_those_who_are_logged_in_and_neither_starts_nor_uses_mlflow(
    tmp_path: Path,
) -> None:
    with server_of("uvicorn_app", tmp_path, start=False) as jupyter:
        assert requests.get(f"{jupyter.lab.url}/metrics", timeout=30).status_code == 403
        scrape(jupyter)
        assert jupyter.status()["state"] != "starting"
        jupyter.start()
        jupyter.wait_until("ready")
        unused = get(scrape(jupyter), "unused_seconds")
        assert get(scrape(jupyter), "unused_seconds") > unused


def expressions() -> dict[str, str]:
    """What the dashboard and the alerts ask Prometheus, by what they call it."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    asked = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    }
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
    return {**asked, **{rule["alert"]: rule["expr"] for rule in rules}}


def test_the_dashboard_the_alerts_and_the_reference_name_what_is_exported(tmp_path: Path) -> None:
    with server_of("uvicorn_app", tmp_path, start=False) as jupyter:
        series = scrape(jupyter)
    exported = {name for name, _ in series}
    values = {(label, value) for _, labels in series for label, value in labels}
    asked = expressions()
    assert len(asked) > 10
    for title, expression in asked.items():
        assert set(NAME.findall(expression)) <= exported, title
        assert NAME.search(expression), title
        for label, value in USED_LABEL.findall(expression):
            assert (label, value) in values or value.startswith("$"), f"{title}: {label}={value}"
    told = set(NAME.findall(REFERENCE.read_text()))
    base = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported}
    assert told == base
    text = REFERENCE.read_text()
    for label, value in values:
        if label not in ("le", "version", "mlflow_version"):
            assert f"`{value}`" in text, f"{label}={value} is not explained"


def test_the_durations_are_buckets() -> None:
    metrics = Metrics(Status(deque()), LastUse())
    metrics.start_seconds.observe(2.5)
    (family,) = (each for each in metrics.collect() if "duration" in each.name)
    counts = [each.value for each in family.samples if each.name.endswith("_bucket")]
    assert len(counts) == len(DURATIONS) + 1
    assert counts == [0, 0] + [1] * (len(DURATIONS) - 1)
