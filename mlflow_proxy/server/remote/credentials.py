"""The user's credentials for the tracking server, found where MLflow's client finds them.

Sources: `get_default_host_creds` in mlflow/utils/credentials.py, `http_request` in
mlflow/utils/rest_utils.py, `get_netrc_auth` in requests/utils.py. Everything is read for each
request, as by the client, so that writing a file is enough.
"""

import base64
import configparser
import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_proxy.server.errors import StartError

from .address import ServerAddress

USERNAME = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 (a name)
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105
AUTH = "MLFLOW_TRACKING_AUTH"
FILE = "~/.mlflow/credentials"
NETRC_FILES = ("~/.netrc", "~/_netrc")
KUBERNETES = ("kubernetes", "kubernetes-namespaced")  # providers that replace a password


@dataclass(frozen=True)
class Credentials:
    """A value for the header `Authorization`, and where it is from."""

    authorization: str
    source: str


def find(address: ServerAddress, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """Find the credentials for the server at `address`.

    Raises:
        StartError: they cannot be used.
    """
    # requests lets a netrc file and the address win over a header.
    found = _from_netrc(address, environment) or _from_address(address) or _mlflows(environment)
    if found and not found.authorization.isprintable():
        raise StartError(
            f"The credentials in {found.source} have a line break or another control character.",
            "Remove it.",
        )
    return found


def _mlflows(environment: Mapping[str, str]) -> Credentials | None:
    in_file = _read_file(environment)
    user = environment.get(USERNAME) or in_file.get(USERNAME.lower())
    password = environment.get(PASSWORD) or in_file.get(PASSWORD.lower())
    if user and password and environment.get(AUTH) not in KUBERNETES:
        names = [name for name in (USERNAME, PASSWORD) if environment.get(name)]
        source = " and ".join(names if len(names) > 1 else [*names, FILE])
        return Credentials(_basic(user, password), source)
    if token := environment.get(TOKEN):
        return Credentials(f"Bearer {token}", TOKEN)
    return None


def _read_file(environment: Mapping[str, str]) -> Mapping[str, str]:
    path = _expanded(FILE, environment)
    if not os.path.exists(path):  # usually; a parser for nothing would take a part of a millisecond
        return {}
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return dict(parser["mlflow"]) if "mlflow" in parser else {}
    except (configparser.Error, UnicodeError) as error:
        # Only its type: a message would quote a line of the file.
        raise StartError(
            f"The credentials in {path} cannot be read: {type(error).__name__}.",
            f"Write it as three lines: [mlflow], {USERNAME.lower()} = …, {PASSWORD.lower()} = … "
            "(with %% for a %).",
        ) from None


def _from_netrc(address: ServerAddress, environment: Mapping[str, str]) -> Credentials | None:
    named = environment.get("NETRC")
    files = [_expanded(name, environment) for name in ((named,) if named else NETRC_FILES)]
    for file in files:
        if os.path.exists(file):
            try:
                entry = netrc.netrc(file).authenticators(address.url.host or "")
            except (netrc.NetrcParseError, OSError, UnicodeError):  # ignored by requests, too
                return None
            if not entry:
                return None
            return Credentials(_basic(entry[0] or entry[1] or "", entry[2] or ""), file)
    return None


def _from_address(address: ServerAddress) -> Credentials | None:
    if not address.user and not address.password:
        return None
    return Credentials(_basic(address.user, address.password), "the store's URI")


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _expanded(path: str, environment: Mapping[str, str]) -> str:
    home = environment.get("HOME")
    return f"{home}{path[1:]}" if home and path.startswith("~/") else os.path.expanduser(path)
