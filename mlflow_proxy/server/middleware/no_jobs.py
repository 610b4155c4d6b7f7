"""Refuses what would need MLflow's background jobs, where there are none.

MLflow refuses a job itself, but only after it has begun a run for it, and it stores that a judge
evaluates new traces whether jobs run or not.
"""

import json
import re
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .body import discard_body
from .rewriting import rewriting

SUBMITTING = re.compile(
    r"/ajax-api/3\.0/(jobs/?|mlflow/(scorer|issues|genai/evaluate)/invoke)"
    r"|/(ajax-)?api/3\.0/mlflow/(prompt-optimization/jobs|scorers/online-config)"
)
METHODS = ("POST", "PUT")
ONLINE_JUDGES = re.compile(r"/(ajax-)?api/3\.0/mlflow/scorers/online-configs")


class NoJobs:
    """Refuses requests that submit jobs, and shows every judge as off; `why` is a sentence."""

    def __init__(self, app: ASGIApp, why: str) -> None:
        self._app = app
        # MLflow's routes write the one or the other.
        self._refusal = {"error_code": "FEATURE_DISABLED", "message": why, "detail": why}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and ONLINE_JUDGES.fullmatch(scope["path"]):
            send = rewriting(send, lambda _: True, with_judges_off)
        elif scope["type"] == "http" and submits(scope):
            await discard_body(receive)
            await JSONResponse(self._refusal, HTTPStatus.BAD_REQUEST)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def submits(scope: Scope) -> bool:
    """Whether the request submits a job, or switches a judge on."""
    return scope["method"] in METHODS and SUBMITTING.fullmatch(scope["path"]) is not None


def with_judges_off(body: bytes) -> bytes:
    """The JSON `body` about judges, none of which evaluates a share of the new traces."""
    try:
        answer = json.loads(body)
        for config in answer["configs"]:
            config["sample_rate"] = 0.0
    except (KeyError, TypeError, ValueError):  # an error of MLflow's
        return body
    return json.dumps(answer).encode()
