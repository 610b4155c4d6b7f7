"""The user's credentials for the tracking server, found where MLflow's client finds them.

Everything is read for each request, as by the client: writing a file is enough, and a plugin's
tokens expire. Sources: `get_default_host_creds` in mlflow/utils/credentials.py, `http_request` in
mlflow/utils/rest_utils.py, the registries in mlflow/tracking/request_auth and request_header (there
is no public way to ask a plugin), `get_netrc_auth` in requests/utils.py. The tests
test_remote_credentials.py and test_remote_plugins.py check them on the installed MLflow.
"""

import asyncio
import base64
import configparser
import os
import re
import warnings
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from mlflow_proxy.addresses import AUTH, PASSWORD, SIGV4, TOKEN, USERNAME
from mlflow_proxy.headers import Headers
from mlflow_proxy.printable import quoted
from mlflow_proxy.server.failures import StartError, first_line

from .boundary import ServerAddress

FILE = "~/.mlflow/credentials"
THREE_LINES = (
    f"Write {FILE} as three lines: [mlflow], {USERNAME.lower()} = …, {PASSWORD.lower()} = … "
    "(with %% for a %)."
)
NETRC_FILES = ("~/.netrc", "~/_netrc")
KUBERNETES = ("kubernetes", "kubernetes-namespaced")  # providers that replace a password
HEADER_PROVIDERS = "mlflow.request_header_provider"  # group of entry points
NO_CREDENTIALS = "a request without credentials"
# Headers that no plugin replaces. MLflow's own adds the last two, but these requests are the
# browser's and other clients'.
KEPT = re.compile(
    "host|content-length|transfer-encoding|connection|user-agent|x-mlflow-client-version"
)


def is_true(name: str) -> bool:
    """Whether one of MLflow's boolean variables is true; MLflow's client refuses other values."""
    return os.environ.get(name, "").lower() in ("true", "1")


class Credentials(NamedTuple):
    """A value for the header `Authorization`, and where it is from."""

    authorization: str
    source: str


def find(address: ServerAddress) -> Credentials | None:
    """Find the credentials for the server at `address`.

    Raises:
        StartError: they cannot be used.
    """
    # requests lets a netrc file and the address win over a header.
    found = _from_netrc(address)
    if not found and (address.user or address.password):
        found = Credentials(_basic(address.user, address.password), "the store's URI")
    found = found or _from_mlflows_variables()
    if found and not found.authorization.isprintable():
        raise StartError(
            f"The credentials in {found.source} have a line break or another control character.",
            "Remove it. If it is in a variable, restart Jupyter then.",
        )
    return found


def _from_netrc(address: ServerAddress) -> Credentials | None:
    named = os.environ.get("NETRC")
    files = map(os.path.expanduser, (named,) if named else NETRC_FILES)
    file = next(filter(os.path.exists, files), None)
    if file is None:
        return None
    from requests.utils import get_netrc_auth  # a few megabytes, only where there is such a file

    found = get_netrc_auth(str(address.url))
    return Credentials(_basic(*found), quoted(file)) if found else None


def _from_mlflows_variables() -> Credentials | None:
    in_file = _read_file()
    user = os.environ.get(USERNAME) or in_file.get(USERNAME.lower())
    password = os.environ.get(PASSWORD) or in_file.get(PASSWORD.lower())
    if user and password and os.environ.get(AUTH) not in KUBERNETES:
        names = [name for name in (USERNAME, PASSWORD) if os.environ.get(name)]
        source = " and ".join(names if len(names) > 1 else [*names, FILE])
        return Credentials(_basic(user, password), source)
    token = os.environ.get(TOKEN)
    return Credentials(f"Bearer {token}", TOKEN) if token else None


def _read_file() -> Mapping[str, str]:
    path = os.path.expanduser(FILE)
    if not os.path.exists(path):  # usually; a parser for nothing would take a part of a millisecond
        return {}
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return dict(parser["mlflow"]) if "mlflow" in parser else {}
    except (configparser.Error, UnicodeError) as error:
        # Only its type: a message would quote a line of the file.
        raise StartError(
            f"The credentials in {FILE} cannot be read: {type(error).__name__}.", THREE_LINES
        ) from None


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class Authorizer:
    """Adds the credentials, and what MLflow's plugins add, for which MLflow is imported."""

    def __init__(self, address: ServerAddress) -> None:
        """Find out which plugins are used.

        Raises:
            StartError: requests are to be signed for AWS, for which their whole bodies are needed.
        """
        if is_true(SIGV4):
            raise StartError(
                f"Requests to {address} are to be signed for AWS ({SIGV4}), but the tile cannot.",
                "Ask its administrator for another way to its dashboard. "
                "Notebooks log to it all the same.",
            )
        self._address = address
        self._auth = os.environ.get(AUTH)
        self._has_header_providers = bool(entry_points(group=HEADER_PROVIDERS))
        self.sent = ""
        """The credentials of the last request, in words."""

    async def authorize(self, method: str, url: str, headers: Headers) -> Headers:
        """`headers` with the credentials; asks plugins in a thread, because they block.

        They do not see the body, which is a stream.

        Raises:
            ImportError: the package of a provider is missing.
            StartError: the credentials cannot be used, or a provider is missing or fails.
        """
        if self._auth or self._has_header_providers:
            return await asyncio.to_thread(self._ask_plugins, method, url, headers)
        return self._with_credentials(headers)

    def _with_credentials(self, headers: Headers) -> Headers:
        found = find(self._address)
        self.sent = f"the credentials in {found.source}" if found else NO_CREDENTIALS
        return _replace(headers, {"authorization": found.authorization} if found else {})

    def _ask_plugins(self, method: str, url: str, headers: Headers) -> Headers:
        if self._has_header_providers:
            from mlflow.tracking.request_header.registry import resolve_request_headers

            # Takes seconds the first time.
            headers = _replace(headers, resolve_request_headers())
        headers = self._with_credentials(headers)
        if not self._auth:
            return headers
        name = f"{AUTH}={quoted(self._auth)}"
        self.sent = f"the credentials by {name}"
        try:
            return _replace(headers, self._sign(method, url, headers))
        except (StartError, ImportError):
            raise
        except Exception as error:  # a plugin may raise anything
            said = f"The credentials by {name} cannot be made: {quoted(first_line(error))}"
            raise StartError(said, f"Correct {name}.") from error

    def _sign(self, method: str, url: str, headers: Headers) -> dict[str, Any]:
        """The headers that the provider of `MLFLOW_TRACKING_AUTH` adds."""
        from mlflow.tracking.request_auth.registry import fetch_auth
        from requests import PreparedRequest
        from requests.structures import CaseInsensitiveDict

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of what is refused here
            auth = fetch_auth(self._auth)
        if not auth:
            raise StartError(
                f"{AUTH} is {quoted(self._auth)}, but no such provider is installed for MLflow.",
                f"Install its package beside MLflow, or correct {AUTH}.",
            )
        # Not by `prepare`, which would quote the address again.
        request = PreparedRequest()
        request.method, request.url = method, url
        request.headers = CaseInsensitiveDict(headers)
        before = dict(request.headers)
        changed = auth(request).headers.items()
        return {name: value for name, value in changed if before.get(name) != value}


def _replace(headers: Headers, added: Mapping[str, Any]) -> Headers:
    """`headers` with those of `added` in the place of others of these names, but for `KEPT`."""
    lower = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in added.items()
        if not KEPT.fullmatch(name.lower())
    }
    return [*(pair for pair in headers if pair[0] not in lower), *lower.items()]
