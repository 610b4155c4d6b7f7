"""Sends the credential for the user's own address to that address, and nowhere else.

MLflow's client sends `MLFLOW_TRACKING_TOKEN` to every host that a tracking URI, an artifact's
location or a model's source names, and people write these into a store that others share.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from mlflow_proxy import addresses


def guard() -> None:
    """Have MLflow's client ask `OwnAddress` in place of the token that it would send anywhere.

    Programs that this process starts find the same variables. Those without this package are not
    signed in by them: they need the token back.
    """
    credential = os.environ.get(addresses.LOCAL_CREDENTIAL)
    if not credential:
        return
    if os.environ.get(addresses.TOKEN) == credential:
        del os.environ[addresses.TOKEN]
    if not os.environ.get(addresses.AUTH):
        os.environ[addresses.AUTH] = addresses.AUTH_PROVIDER


class OwnAddress:
    """Signs in requests for the user's own address (entry point `mlflow.request_auth_provider`)."""

    def get_name(self) -> str:
        """The value of `MLFLOW_TRACKING_AUTH` that chooses this."""
        return addresses.AUTH_PROVIDER

    def get_auth(self) -> "OwnAddress":
        """What `requests` calls with each request."""
        return self

    def __call__(self, request: Any) -> Any:
        """Add the credential to `request`, if it is for the address."""
        if _origin(request.url) == _origin(os.environ.get(addresses.LOCAL_URL, "")):
            credential = os.environ.get(addresses.LOCAL_CREDENTIAL, "")
            request.headers["Authorization"] = f"Bearer {credential}"
            request.headers[addresses.PROGRAM] = addresses.GUARDED
        else:
            _sign_by_default(request)
        return request


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _sign_by_default(request: Any) -> None:
    """Do what `requests` does without such an object: read the address, else `~/.netrc`."""
    from requests.auth import HTTPBasicAuth
    from requests.utils import get_auth_from_url, get_netrc_auth

    in_address = get_auth_from_url(request.url)
    if found := in_address if any(in_address) else get_netrc_auth(request.url):
        HTTPBasicAuth(*found)(request)
