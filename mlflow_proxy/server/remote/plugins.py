"""Headers that MLflow's plugins make: only for these is MLflow's client code imported.

They are asked anew for each request, because tokens expire. Sources: `http_request` in
mlflow/utils/rest_utils.py and the two registries in mlflow/tracking; there is no public way to ask
a plugin for its headers. tests/server/test_remote_plugins.py checks them on the installed MLflow.
"""

import os
import warnings
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from mlflow_proxy.server.errors import StartError

from .credentials import AUTH
from .variables import boolean

SIGV4 = "MLFLOW_TRACKING_AWS_SIGV4"
HEADER_PROVIDERS = "mlflow.request_header_provider"  # group of entry points
# MLflow's own provider adds them; these requests are the browser's and other clients'.
OF_MLFLOW = frozenset({"user-agent", "x-mlflow-client-version"})


class Plugins:
    """What of the environment's plugins takes part in each request."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Find out which are used.

        Raises:
            StartError: a variable has a value that MLflow would not take.
        """
        self._auth = environment.get(AUTH)
        self.signs_body = boolean(SIGV4, environment)
        """Whether a request can be sent only with its whole body at hand."""
        self._adds_headers = bool(entry_points(group=HEADER_PROVIDERS))

    @property
    def is_used(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._auth or self.signs_body or self._adds_headers)

    def headers(self) -> dict[str, str]:
        """The headers of the header providers; blocks, for seconds the first time."""
        if not self._adds_headers:
            return {}
        from mlflow.tracking.request_header.registry import resolve_request_headers

        headers = resolve_request_headers().items()
        return {name: str(value) for name, value in headers if name.lower() not in OF_MLFLOW}

    def authorize(
        self, method: str, url: str, headers: list[tuple[str, str]], body: bytes
    ) -> dict[str, str]:
        """The headers that the provider of `MLFLOW_TRACKING_AUTH`, or AWS's signature, adds.

        Blocks, because a provider may have to ask for a token.

        Raises:
            StartError: there is no such provider, or it fails.
        """
        auth = self._provider()
        if auth is None:
            return {}
        from requests import PreparedRequest
        from requests.structures import CaseInsensitiveDict

        # Not by `prepare`, which would quote the address again.
        request = PreparedRequest()
        request.method, request.url, request.body = method, url, body
        request.headers = CaseInsensitiveDict(headers)
        before = dict(request.headers)
        try:
            changed = auth(request).headers
        except Exception as error:  # a plugin may raise anything
            raise _failed(self._name, error) from error
        return {name: _text(v) for name, v in changed.items() if before.get(name) != v}

    @property
    def _name(self) -> str:
        return SIGV4 if self.signs_body else f"{AUTH}={self._auth}"

    def _provider(self) -> Any:
        try:
            if self.signs_body:
                from requests_auth_aws_sigv4 import AWSSigV4

                return AWSSigV4("execute-api")
            if not self._auth:
                return None
            from mlflow.tracking.request_auth.registry import fetch_auth

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of what is refused below
                auth = fetch_auth(self._auth)
        except ModuleNotFoundError:
            raise  # `failures` knows the package
        except Exception as error:
            raise _failed(self._name, error) from error
        if auth is None:
            raise StartError(
                f"{AUTH} is {self._auth}, but no such provider is installed for MLflow.",
                f"Install its package beside MLflow, or correct {AUTH}.",
            )
        return auth


def _failed(name: str, error: Exception) -> StartError:
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    return StartError(f"The credentials by {name} cannot be made: {said}", f"Correct {name}.")


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
