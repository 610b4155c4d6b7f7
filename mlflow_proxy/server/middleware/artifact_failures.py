"""Known failures of an artifact store, and their remedies, in the answers to requests.

MLflow answers some of them with a bare "Internal Server Error", and the others without a remedy.
Its client repeats a request that fails with 500 for minutes, so an error that no repetition mends
has another status.
"""

import re
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlflow_proxy.printable import mask_passwords, quoted
from mlflow_proxy.server.failures import Known, match

from .bodies import is_api_response, rewriting_json

QUERY = re.compile(r"(?<=\w)\?[\w.-]+=[^\s\"']*")  # of a URL: of no interest, or a signature
ENVIRONMENT = (
    "in Jupyter's environment, or in c.MLflowProxy.environment for MLflow alone, "
    "and restart Jupyter."
)
SAID = "{said}."  # what MLflow or boto says is the reason
# The status is for an answer to which MLflow gives none.
FAILURES = (
    Known(
        r"No module named '(?P<module>\w+)",
        SAID,
        "Run: {python} -m pip install {package}",
        HTTPStatus.NOT_IMPLEMENTED,
    ),
    Known(
        r"Unable to locate credentials|Partial credentials found|InvalidAccessKeyId"
        r"|SignatureDoesNotMatch|InvalidToken|ExpiredToken|TokenRefreshRequired|Access ?Denied"
        r"|The AWS Access Key Id you provided does not exist|The request signature we calculated"
        r"|\(403\) when calling",
        SAID,
        "Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary credentials, "
        f"AWS_SESSION_TOKEN {ENVIRONMENT} Or ask the bucket's administrator for the rights to "
        "list, read and write there.",
        HTTPStatus.FORBIDDEN,
    ),
    Known(
        r"NoSuchBucket|The specified bucket does not exist|AuthorizationHeaderMalformed"
        r"|PermanentRedirect|the region '[^']*' is wrong|Invalid endpoint: |SSL validation failed",
        SAID,
        "Correct the bucket in c.MLflowProxy.default_artifact_root, or MLFLOW_S3_ENDPOINT_URL "
        "(http(s)://host:port), AWS_DEFAULT_REGION or AWS_CA_BUNDLE (a file with the certificate "
        f"of the authority) {ENVIRONMENT}",
        HTTPStatus.BAD_REQUEST,
    ),
    Known(
        r"Could not connect to the endpoint URL|(?:Connect|Read) timeout on endpoint URL"
        r"|Connection was closed before|Failed to connect to proxy URL",
        SAID,
        "Check that the artifact store is running and reachable from this machine, or correct "
        f"MLFLOW_S3_ENDPOINT_URL {ENVIRONMENT}",
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


def explained(said: str) -> tuple[dict[str, str], HTTPStatus] | None:
    """The JSON of an error that says what `said` says, with a remedy; None if it is not known."""
    sentence = mask_passwords(QUERY.sub("", said)).rstrip(".\n ")
    known = match(FAILURES, [said], {"said": quoted(sentence)})
    if known is None:
        return None
    is_temporary = known.status is HTTPStatus.SERVICE_UNAVAILABLE
    code = "TEMPORARILY_UNAVAILABLE" if is_temporary else "INTERNAL_ERROR"
    message = said if said.endswith(known.remedy) else f"{known.reason} {known.remedy}"
    return {"error_code": code, "message": message}, known.status


class ArtifactRemedies:
    """Adds remedies to the JSON of errors below the paths of artifacts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "artifact" in scope["path"]:
            send = rewriting_json(send, _is_error, _with_remedy)
        await self._app(scope, receive, send)


def _is_error(start: Message) -> bool:
    # Not the others: they may be as large as an artifact, and are not kept in memory.
    return bool(start["status"] >= HTTPStatus.BAD_REQUEST) and is_api_response(start)


def _with_remedy(answer: Any) -> Any:
    known = explained(answer["message"]) if "error_code" in answer else None
    return {**answer, "message": known[0]["message"]} if known else None


def install(fastapi_app: Any, flask_app: Any) -> None:
    """Have both parts of MLflow's server explain exceptions that they do not handle."""
    flask_app.register_error_handler(HTTPStatus.INTERNAL_SERVER_ERROR, _in_flask)
    fastapi_app.add_exception_handler(Exception, _in_fastapi)


def _in_flask(error: Any) -> Any:
    return explained(str(error.original_exception)) or error


async def _in_fastapi(_request: Request, error: Exception) -> Response:
    if known := explained(str(error)):
        return JSONResponse(*known)
    # As Starlette does.
    return PlainTextResponse("Internal Server Error", HTTPStatus.INTERNAL_SERVER_ERROR)
