"""Traces, assessments, and the OpenTelemetry protocol."""

from __future__ import annotations

import gzip
import time
from contextlib import suppress
from typing import Any

import mlflow
from mlflow.entities import AssessmentSource, Expectation, Feedback
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from tracking import ODD, TIME


def make_traces(name: str, count: int) -> tuple[str, list[str]]:
    experiment = mlflow.set_experiment(name).experiment_id
    traces = []
    for number in range(count):
        with mlflow.start_span(f"ä {number}", attributes={"odd": ODD, "n": number}) as root:
            root.set_inputs({"question": ODD, "uri": "mlflow-artifacts:/x"})
            with mlflow.start_span("inner", span_type="TOOL") as inner:
                inner.set_outputs([number, None, 1.5])
            root.set_outputs("ä" * 2000)
        traces.append(root.trace_id)
    return experiment, traces


def traced(client: MlflowClient, rest: Any, _: Any) -> None:
    experiment, ids = make_traces("conformance traces", 5)
    first = ids[0]
    client.set_trace_tag(first, "odd", ODD)
    client.delete_trace_tag(first, "odd")
    client.set_trace_tag(first, "a b/c", "1")
    client.get_trace(first)
    page = client.search_traces([experiment], max_results=2, order_by=["timestamp_ms ASC"])
    client.search_traces([experiment], max_results=2, page_token=page.token)
    client.search_traces([experiment], "tag.`a b/c` = '1'")
    client.search_traces([experiment], "trace.status = 'OK'", include_spans=False)
    with suppress(MlflowException):
        client.search_traces([experiment], "nothing = '1'")
    run = client.create_run(experiment, TIME, run_name="traces").info.run_id
    client.link_traces_to_run(ids[:2], run)
    client.search_traces(locations=[experiment], run_id=run)
    rest("GET", "/ajax-api/3.0/mlflow/get-trace-artifact", params={"request_id": first})
    rest("GET", "/ajax-api/3.0/mlflow/get-trace-artifact", params={"request_id": "tr-none"})
    client.delete_traces(experiment, trace_ids=ids[3:])
    client.delete_traces(experiment, max_timestamp_millis=TIME, max_traces=1)
    for wrong in (ids[3], "tr-none"):
        with suppress(MlflowException):
            client.get_trace(wrong)


def older_traces(client: MlflowClient, rest: Any, _: Any) -> None:
    """Version 2 of the traces API, used by older clients."""
    experiment = client.create_experiment("conformance older traces")
    body = {"experiment_id": experiment, "timestamp_ms": TIME, "tags": [{"key": "a", "value": ODD}]}
    answer = rest.post("traces", body)
    trace = answer.get("trace_info", {}).get("request_id", "tr-none")
    end = {"request_id": trace, "timestamp_ms": TIME + 5, "status": "OK"}
    rest("PATCH", f"/api/2.0/mlflow/traces/{trace}", json=end)
    tag = {"request_id": trace, "key": "odd", "value": ODD}
    rest("PATCH", f"/api/2.0/mlflow/traces/{trace}/tags", json=tag)
    rest("GET", f"/api/2.0/mlflow/traces/{trace}/info")
    rest("DELETE", f"/api/2.0/mlflow/traces/{trace}/tags", json={"key": "odd"})
    query = {"experiment_ids": [experiment], "filter": "status = 'OK'", "max_results": 1}
    rest("GET", "/api/2.0/mlflow/traces", params=query)
    rest.post("traces/delete-traces", {"experiment_id": experiment, "request_ids": [trace]})


def assessments(client: MlflowClient, rest: Any, _: Any) -> None:
    _, (trace, *_others) = make_traces("conformance assessments", 1)
    person = AssessmentSource("HUMAN", "ä@example.org")
    kept = mlflow.log_feedback(
        trace_id=trace, name="good", value=True, rationale=ODD, source=person, metadata={"a": ODD}
    )
    expected = mlflow.log_expectation(trace_id=trace, name="answer", value={"ä": [1, ODD]})
    failed = Feedback(name="failed", error=ValueError("ä"), source=person)
    mlflow.log_assessment(trace, failed)
    mlflow.update_assessment(trace, expected.assessment_id, Expectation(name="answer", value="no"))
    mlflow.override_feedback(
        trace_id=trace, assessment_id=kept.assessment_id, value=False, source=person
    )
    mlflow.get_assessment(trace, kept.assessment_id)
    client.get_trace(trace)
    mlflow.delete_assessment(trace, expected.assessment_id)
    with suppress(MlflowException):
        mlflow.get_assessment(trace, expected.assessment_id)
    with suppress(MlflowException):
        mlflow.log_feedback(trace_id="tr-none", name="good", value=1)


def opentelemetry(client: MlflowClient, rest: Any, _: Any) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    experiment = client.create_experiment("conformance otlp")
    now = time.time_ns()
    for number, encode in enumerate((bytes, gzip.compress)):
        request = ExportTraceServiceRequest()
        span = request.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id = bytes([number + 1]) * 16, bytes([number + 1]) * 8
        span.name, span.start_time_unix_nano, span.end_time_unix_nano = ODD, now, now + 1000
        span.attributes.add(key="ä").value.string_value = "mlflow-artifacts:/x"
        headers = {"X-MLflow-Experiment-Id": experiment, "Content-Type": "application/x-protobuf"}
        if encode is gzip.compress:
            headers["Content-Encoding"] = "gzip"
        data = encode(request.SerializeToString())
        rest("POST", "/v1/traces", data=data, headers=headers)
    span_json = {
        "traceId": "0a" * 16,
        "spanId": "0b" * 8,
        "name": ODD,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1000),
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span_json]}]}]}
    headers = {"X-MLflow-Experiment-Id": experiment}
    rest("POST", "/v1/traces", json=body, headers=headers)
    rest("POST", "/v1/traces", json={"resourceSpans": []}, headers=headers)
    rest("POST", "/v1/traces", json=body)
    rest("POST", "/v1/traces", data=b"{", headers={**headers, "Content-Type": "application/json"})
    rest("POST", "/v1/traces", data=b"x", headers={**headers, "Content-Type": "text/plain"})
    rest("GET", "/v1/traces", headers=headers)
    client.search_traces([experiment])


FAMILIES = {
    "traces": traced,
    "traces, version 2": older_traces,
    "assessments": assessments,
    "OpenTelemetry": opentelemetry,
}
