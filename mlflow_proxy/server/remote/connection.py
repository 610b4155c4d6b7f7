"""TLS and the proxy on the way, as the variables of MLflow and requests say."""

import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from yarl import URL

from mlflow_proxy.quoting import quoted
from mlflow_proxy.server.failures import StartError

from .boundary import ServerAddress

INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"
SERVER_CERTIFICATE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
CLIENT_CERTIFICATE = "MLFLOW_TRACKING_CLIENT_CERT_PATH"
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")  # of requests, in its order


def is_true(name: str) -> bool:
    """Whether one of MLflow's boolean variables is true; MLflow's client refuses other values."""
    return os.environ.get(name, "").lower() in ("true", "1")


def tls_context() -> ssl.SSLContext:
    """The TLS context: which authorities are trusted, and the client's own certificate.

    Raises:
        StartError: a variable names a file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    variables = (SERVER_CERTIFICATE, *BUNDLES)
    variable = next((name for name in variables if os.environ.get(name)), "")
    try:
        # MLflow's client refuses this variable together with a certificate of the server.
        if is_true(INSECURE) and variable != SERVER_CERTIFICATE:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        else:
            _trust(context, os.environ.get(variable, ""))
        if own := os.environ.get(CLIENT_CERTIFICATE):
            variable = CLIENT_CERTIFICATE
            context.load_cert_chain(own, password="")  # else a key with one asks at the terminal
    except OSError as error:  # an SSLError is one
        raise StartError(
            f"The file of {variable}, {quoted(os.environ.get(variable))}, cannot be used: "
            f"{error.strerror or error}.",
            f"{SERVER_CERTIFICATE} and {BUNDLES[0]} name a PEM file with certificates of the "
            f"authorities to trust, {CLIENT_CERTIFICATE} one with the client's certificate and its "
            "key, without a password.",
        ) from None
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    if not path:
        import certifi

        path = certifi.where()  # as MLflow's client; not the system's certificates
    context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})


def outbound_proxy(address: ServerAddress) -> URL | None:
    """The proxy, with its password, that requests, and so MLflow's client, uses for `address`.

    Raises:
        StartError: the proxy is not an HTTP proxy.
    """
    if not getproxies().keys() - {"no"}:  # only NO_PROXY is set
        return None
    # A few megabytes, only where there is a proxy. Its rules for NO_PROXY are its own.
    from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy

    named = select_proxy(str(address.url), get_environ_proxies(str(address.url), None))
    if not named:
        return None
    parts = urlsplit(prepend_scheme_if_needed(named, "http"))
    if parts.scheme not in ("http", "https"):
        raise StartError(
            f"The proxy for {address} is not an HTTP proxy: its scheme is {quoted(parts.scheme)}.",
            f"Set {address.scheme.upper()}_PROXY to an HTTP proxy, or add the server to NO_PROXY.",
        )
    return URL(parts.geturl())
