"""What kinds of work a tracking server has, by a sample of what is newest in it."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from mlflow_proxy.server.mode import RUN_TYPE, Mode, choose_mode

from .body import RequestBody
from .client import Client

EXPERIMENTS, SAMPLE = 50, 20  # the newest ones; a run may have hundreds of metrics
TIMEOUT = 1.0  # seconds: two answers
MAX_AGE = 60.0  # seconds: a server for a team should not be asked for each page
JSON = [(b"accept", b"application/json"), (b"content-type", b"application/json")]


class NoAnswerError(Exception):
    """The server does not answer a search."""


async def find(client: Client) -> Mode:
    """The mode for what is newest on the server.

    Raises:
        Exception: the server does not answer, or another than `Client.send` expects.
    """
    found = await _search(client, "2.0/mlflow/experiments", max_results=EXPERIMENTS)
    ids = [each["experiment_id"] for each in found.get("experiments", ())]
    if not ids:
        return choose_mode(0, 0)
    places = [
        {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": each}} for each in ids
    ]
    runs, traces = await asyncio.gather(
        _search(client, "2.0/mlflow/runs", experiment_ids=ids, max_results=SAMPLE),
        # Servers before MLflow 3 have no such search.
        _search(client, "3.0/mlflow/traces", True, locations=places, max_results=SAMPLE),
    )
    training_runs = [run for run in runs.get("runs", ()) if is_training(run["data"])]
    return choose_mode(len(training_runs), len(traces.get("traces", ())))


def is_training(data: dict[str, Any]) -> bool:
    """Whether a run with this data, of the REST API, has metrics or parameters of a training."""
    is_typed = any(tag["key"] == RUN_TYPE for tag in data.get("tags", ()))
    return not is_typed and bool(data.get("metrics") or data.get("params"))


async def _search(client: Client, what: str, optional: bool = False, **fields: Any) -> Any:
    content = json.dumps(fields).encode()

    async def receive() -> Any:
        return {"type": "http.request", "body": content}

    # As the dashboard does: MLflow 3.10 does not put `--static-prefix` before `/api`.
    url = client.address.target(f"/ajax-api/{what}/search".encode())
    length = (b"content-length", str(len(content)).encode())
    body = RequestBody({"headers": [length]}, receive)
    answer = await client.send("POST", url, JSON, body)
    try:
        if optional and answer.status == HTTPStatus.NOT_FOUND:
            return {}
        if answer.status != HTTPStatus.OK:
            raise NoAnswerError
        return json.loads(await answer.read())
    finally:
        answer.close()
