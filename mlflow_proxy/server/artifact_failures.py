"""Known failures of an artifact store, and their remedies, in the answers to requests.

MLflow answers some of them with a bare "Internal Server Error", and the others without a remedy.
Its client repeats a request that fails with 500 for minutes, so an error that no repetition mends
has another status.
"""

import json
import re
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from mlflow_proxy.shared.passwords import mask_passwords

from .failures import Known, match

QUERY = re.compile(r"(?<=\w)\?[\w.-]+=[^\s\"']*")  # of a URL: of no interest, or a signature
ENVIRONMENT = "in Jupyter's environment, or in c.MLflowProxy.environment for MLflow alone"
SAID = "{said}."  # what MLflow or boto says is the reason
# The status is for an answer to which MLflow gives none.
FAILURES = (
    Known(
        r"No module named '(?P<module>\w+)",
        SAID,
        "Run: {quoted_python} -m pip install {quoted_package}",
        HTTPStatus.NOT_IMPLEMENTED,
    ),
    Known(
        r"Unable to locate credentials|Partial credentials found",
        SAID,
        f"Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY {ENVIRONMENT}.",
        HTTPStatus.FORBIDDEN,
    ),
    Known(
        r"NoSuchBucket|The specified bucket does not exist",
        SAID,
        "Create the bucket, or correct c.MLflowProxy.default_artifact_root for new experiments.",
        HTTPStatus.NOT_FOUND,
    ),
    Known(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken|TokenRefreshRequired"
        r"|The AWS Access Key Id you provided does not exist|The request signature we calculated",
        SAID,
        "Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary credentials, "
        f"AWS_SESSION_TOKEN {ENVIRONMENT}.",
        HTTPStatus.FORBIDDEN,
    ),
    Known(
        r"AccessDenied|Access Denied|\(403\) when calling",
        SAID,
        "Ask the bucket's administrator for the rights to list, read and write there.",
        HTTPStatus.FORBIDDEN,
    ),
    Known(
        r"AuthorizationHeaderMalformed|PermanentRedirect|the region '[^']*' is wrong",
        SAID,
        f"Set AWS_DEFAULT_REGION to the bucket's region {ENVIRONMENT}.",
        HTTPStatus.BAD_REQUEST,
    ),
    Known(
        r"Invalid endpoint: ",
        SAID,
        f"Correct MLFLOW_S3_ENDPOINT_URL, http(s)://host:port, {ENVIRONMENT}.",
        HTTPStatus.BAD_REQUEST,
    ),
    Known(
        r"SSL validation failed",
        SAID,
        "Set AWS_CA_BUNDLE to the file with the certificate of the authority, or correct "
        "MLFLOW_S3_ENDPOINT_URL if the store has no TLS.",
        HTTPStatus.BAD_REQUEST,
    ),
    Known(
        r"Could not connect to the endpoint URL|(?:Connect|Read) timeout on endpoint URL"
        r"|Connection was closed before|Failed to connect to proxy URL",
        SAID,
        "See that the artifact store runs and that this machine can reach it, or correct "
        "MLFLOW_S3_ENDPOINT_URL.",
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)


def explained(said: str) -> tuple[str, HTTPStatus] | None:
    """What `said` says with a remedy, and a status; None if it is not known."""
    sentence = mask_passwords(QUERY.sub("", said)).rstrip(".\n ")
    known = match(FAILURES, [said], {"said": sentence})
    if known is None:
        return None
    has_remedy = said.endswith(known.remedy)
    return said if has_remedy else f"{known.reason} {known.remedy}", known.status


def with_remedy(body: bytes) -> bytes:
    """The JSON `body`, with a remedy in the message of a known failure."""
    if b'"error_code"' not in body:
        return body
    try:
        answer = json.loads(body)
        known = explained(answer["message"]) if "error_code" in answer else None
    except (ValueError, KeyError, TypeError):  # not an answer of MLflow's
        return body
    return json.dumps({**answer, "message": known[0]}).encode() if known else body


def install(fastapi_app: Any, flask_app: Any) -> None:
    """Have both parts of MLflow's server explain exceptions that they do not handle."""
    flask_app.register_error_handler(HTTPStatus.INTERNAL_SERVER_ERROR, _in_flask)
    fastapi_app.add_exception_handler(Exception, _in_fastapi)


def _in_flask(error: Any) -> Any:
    known = explained(str(error.original_exception))
    if known is None:
        return error
    return _body(known[0], known[1]), known[1], {"Content-Type": "application/json"}


async def _in_fastapi(_request: Request, error: Exception) -> Response:
    known = explained(str(error))
    if known is None:  # as Starlette does
        return PlainTextResponse("Internal Server Error", HTTPStatus.INTERNAL_SERVER_ERROR)
    return Response(_body(known[0], known[1]), known[1], media_type="application/json")


def _body(message: str, status: HTTPStatus) -> str:
    is_temporary = status is HTTPStatus.SERVICE_UNAVAILABLE
    code = "TEMPORARILY_UNAVAILABLE" if is_temporary else "INTERNAL_ERROR"
    return json.dumps({"error_code": code, "message": message})
