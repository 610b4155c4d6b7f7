"""TLS and the proxy on the way, as the variables of MLflow and requests say."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import aiohttp
from yarl import URL

from mlflow_proxy.server.failures import StartError

from .boundary import ServerAddress

INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"
SERVER_CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
CLIENT_CERTIFICATE = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # of requests, in its order
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def boolean(name: str) -> bool:
    """The value of one of MLflow's boolean variables.

    Raises:
        StartError: MLflow would refuse the value.
    """
    value = os.environ.get(name) or "false"
    if value.lower() not in BOOLEANS:
        raise StartError(f"{name} is {value}.", "Set it to true or false.")
    return BOOLEANS[value.lower()]


def tls_context() -> ssl.SSLContext:
    """The TLS context: which authorities are trusted, and the client's own certificate.

    Raises:
        StartError: a variable has a value that cannot be used.
    """
    named = os.environ.get(SERVER_CERTIFICATE)
    insecure = boolean(INSECURE)
    if insecure and named:
        raise StartError(
            f"{INSECURE} and {SERVER_CERTIFICATE} are both set, which MLflow refuses.",
            f"Unset {INSECURE}.",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        bundle = next((name for name in BUNDLES if os.environ.get(name)), "")
        variable = SERVER_CERTIFICATE if named else bundle
        with _using(variable, "certificates of the authorities to trust"):
            _trust(context, os.environ.get(variable, ""))
    if own := os.environ.get(CLIENT_CERTIFICATE):
        with _using(CLIENT_CERTIFICATE, "the client's certificate and its key, without a password"):
            context.load_cert_chain(own, password=_no_password)
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    if not path:
        import certifi

        path = certifi.where()  # as MLflow's client; not the system's certificates
    if Path(path).is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(path)


def _no_password() -> str:
    raise ValueError("its key has a password")


@contextmanager
def _using(variable: str, what: str) -> Iterator[None]:
    """Explain that the file which `variable` names is not `what` it should be."""
    try:
        yield
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "strerror", None) or error
        raise StartError(
            f"The file of {variable}, {os.environ.get(variable)}, cannot be used: {reason}.",
            f"Let {variable} name a PEM file with {what}.",
        ) from None


@dataclass(frozen=True)
class OutboundProxy:
    """The HTTP proxy on the way to the tracking server."""

    url: URL
    auth: aiohttp.BasicAuth | None


def outbound_proxy(address: ServerAddress) -> OutboundProxy | None:
    """The proxy that requests, and so MLflow's client, would use for `address`.

    Raises:
        StartError: the proxy is not an HTTP proxy.
    """
    if not getproxies():
        return None
    # A few megabytes, only where there is a proxy. Its rules for NO_PROXY are its own.
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    named = select_proxy(str(address.url), get_environ_proxies(str(address.url), None))
    if not named:
        return None
    parts = urlsplit(prepend_scheme_if_needed(named, "http"))
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.scheme not in ("http", "https"):
        raise StartError(
            f"The proxy for {address}, {shown}, is not an HTTP proxy.",
            f"Set {address.scheme.upper()}_PROXY to an HTTP proxy, or add the server to NO_PROXY.",
        )
    auth = None
    if parts.username:
        auth = aiohttp.BasicAuth(unquote(parts.username), unquote(parts.password or ""))
    return OutboundProxy(URL(shown), auth)
