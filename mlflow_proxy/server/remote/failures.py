"""Known failures of a tracking server elsewhere, and their remedies."""

import itertools
import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from mlflow_proxy.server import failures as general
from mlflow_proxy.server.errors import StartError

from . import credentials, variables
from .address import ServerAddress

THE_URI = "the server's address (MLFLOW_TRACKING_URI, or c.MLflowProxy.backend_store_uri)"
TRUSTED = f"{variables.SERVER_CERTIFICATE} (or {variables.BUNDLES[0]})"
HOW = "in Jupyter's environment, so that notebooks have it too, and restart Jupyter."
ACCEPTED = (
    f"Set {credentials.TOKEN}, or {credentials.USERNAME} and {credentials.PASSWORD}, {HOW} "
    f"Or write the last two into {credentials.FILE} (three lines: [mlflow], "
    f"{credentials.USERNAME.lower()} = …, {credentials.PASSWORD.lower()} = …) and try again."
)

CLOSED = r"Disconnected|reset|Broken pipe|PayloadError|ClientOSError|Connection\w*Error"

# Pattern, reason, remedy, as in `server/failures.py`. What they match is a type's name and message.
FAILURES = (
    (
        r"ProxyConnectionError|HttpProxyError",
        "The proxy on the way to {server} does not let the connection through.",
        "Correct HTTP_PROXY and HTTPS_PROXY, or add the server to NO_PROXY, in Jupyter's "
        "environment, and restart Jupyter.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED.*(?P<said>(?:Hostname|IP address) mismatch[^(]*)",
        "The certificate of {server} is for another name: {said}.",
        f"Correct {THE_URI}: it needs the name that the certificate has.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED.*(?P<said>certificate (?:has expired|is not yet valid))",
        "The server's certificate of {server} cannot be trusted: {said}.",
        "Ask its administrator to renew it, and see that this machine's clock is right.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED.*verify failed: (?P<said>[^(]*\w)",
        "The server's certificate of {server} cannot be trusted: {said}.",
        f"Set {TRUSTED} to a PEM file with the certificate of the authority that has signed it, "
        f"{HOW}",
    ),
    (
        r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST|UNEXPECTED_MESSAGE",
        "The server at {server} does not speak TLS.",
        f"Correct {THE_URI}: it probably starts with http://.",
    ),
    (
        r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|ALERT_UNKNOWN_CA"
        r"|SSL certificate (?:was sent|error)",
        "The server at {server} wants a certificate of the client, which it can trust.",
        f"Set {variables.CLIENT_CERTIFICATE} to a PEM file with that certificate and its key, "
        f"{HOW}",
    ),
    (
        r"SSLError|SSL: ",
        "A connection with TLS to {server} cannot be made.",
        f"See that the server takes TLS 1.2 or newer, or correct {THE_URI}.",
    ),
    (
        r"plain HTTP request was sent to HTTPS port",
        "The server at {server} speaks TLS.",
        f"Correct {THE_URI}: it starts with https://.",
    ),
    (
        r"DNSError|gaierror|Name or service not known|nodename nor servname|name resolution"
        r"|No address associated|getaddrinfo",
        "The name of the server {server} is unknown.",
        f"Correct {THE_URI}, or connect to the network that knows the name.",
    ),
    (
        r"Connection refused|Connect call failed",
        "The server {server} refuses the connection.",
        f"See that it runs and has that port, or correct {THE_URI}.",
    ),
    (
        r"(?i:timeout|timed out)|unreachable|No route to host",
        "The server {server} does not answer in time.",
        f"See that it runs and that this machine can reach it, or correct {THE_URI}: without TLS "
        "it starts with http://.",
    ),
    (
        r"BadStatusLine|BadHttpMessage|ClientResponseError|LineTooLong",
        "What answers at {server} does not speak HTTP.",
        f"Correct {THE_URI}: its port may be another service's, or it starts with https://.",
    ),
    (
        rf"^https: .*(?:{CLOSED})",
        "The server {server} closes the connection.",
        "See that it runs. If it does not speak TLS, its address starts with http://. If it wants "
        f"a certificate of the client, set {variables.CLIENT_CERTIFICATE} {HOW}",
    ),
    (
        CLOSED,
        "The server {server} has closed the connection.",
        "See that it runs; if it speaks TLS, its address starts with https://.",
    ),
)


def explain(errors: Sequence[BaseException], address: ServerAddress) -> StartError:
    """Explain why the server cannot be used; an unknown error keeps its own message.

    Of several `errors` with one cause, some say more than others.
    """
    error = errors[0]
    texts = []
    for each in itertools.chain(*map(general.chain, errors)):
        if isinstance(each, StartError):
            return each
        if isinstance(each, ImportError):  # a package that a plugin needs
            return general.explain(each, str(address))
        texts.append(f"{address.scheme}: {type(each).__name__}: {each}")
    if known := said(texts, address):
        return known
    first_line = str(error).strip().partition("\n")[0] or type(error).__name__
    return StartError(f"The server {address} cannot be used: {first_line}", f"Correct {THE_URI}.")


def said(texts: Iterable[str], address: ServerAddress) -> StartError | None:
    """The failure of which one of `texts` speaks, if it is known; the first pattern counts."""
    for (pattern, reason, remedy), text in itertools.product(FAILURES, texts):
        if match := re.search(pattern, text, re.DOTALL):
            known = {**match.groupdict(), "server": str(address)}
            return StartError(reason.format(**known), remedy.format(**known))
    return None


def unauthenticated(address: ServerAddress) -> StartError:
    """The server wants to know who asks (401)."""
    try:
        found = credentials.find(address)
    except StartError as error:
        return error
    if found is None:
        return StartError(
            f"The server {address} wants a user and a password, or a token.", ACCEPTED
        )
    return StartError(
        f"The server {address} does not accept the credentials in {found.source}.",
        f"Correct them. {ACCEPTED}",
    )


def forbidden(address: ServerAddress, text: str) -> StartError:
    """The server does not let this user in (403)."""
    if "Invalid Host header" in text:
        return StartError(
            f"The MLflow server does not know that it is reached as {address.host}.",
            f"Ask its administrator to start it with --allowed-hosts {address.host}.",
        )
    found = credentials.find(address)
    who = f"the user of the credentials in {found.source}" if found else "a request without a user"
    return StartError(
        f"The server {address} does not permit {who} to see its experiments.",
        f"Ask its administrator for the permission. {ACCEPTED}",
    )


def wants_login(address: ServerAddress) -> StartError:
    """A login page stands before the server: single sign-on."""
    return StartError(
        f"The server {address} wants a login in the browser.",
        f"Open it there: {address}/ . Notebooks and this page can use it only if it takes a token "
        f"as well: set {credentials.TOKEN} {HOW}",
    )


def redirected(address: ServerAddress, target: str) -> StartError:
    """The server redirects to `target`, which is not below its address."""
    parts = urlsplit(target)
    if parts.netloc.rpartition("@")[2].partition(":")[0] != address.host.partition(":")[0]:
        return wants_login(address)
    to = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    return StartError(
        f"The server {address} redirects to {to}.", f"If MLflow is there, correct {THE_URI}."
    )


def no_mlflow(address: ServerAddress) -> StartError:
    """What answers is no MLflow."""
    return StartError(
        f"There is no MLflow at {address}: another program answers there.",
        f"Correct {THE_URI}. It ends where the dashboard's address has its #.",
    )


def no_dashboard(address: ServerAddress) -> StartError:
    """MLflow is there, its dashboard is elsewhere."""
    return StartError(
        f"MLflow answers at {address}, but its dashboard is not there.",
        "If the server was started with --static-prefix, set c.MLflowProxy.backend_store_uri to "
        "its dashboard's address, up to the #, and leave MLFLOW_TRACKING_URI as it is.",
    )


def too_old(address: ServerAddress, version: str, oldest: str) -> StartError:
    """Its MLflow is older than what can be shown."""
    return StartError(
        f"The server {address} has MLflow {version}, which is too old to be shown here.",
        f"Ask its administrator for MLflow {oldest} or newer. Until then open it in the browser: "
        f"{address}/",
    )


def unhealthy(address: ServerAddress, status: int) -> StartError:
    """The server, or a proxy before it, answers with an error."""
    return StartError(
        f"The server {address} answers with the error {status}.",
        "Try again a little later, or ask its administrator.",
    )
