"""An HTTP address of MLflow for the user's own processes: kernels, terminals, MLflow's jobs.

MLflow's clients in other languages, and Python's without a database driver, speak HTTP only. They
cannot log in to Jupyter, and its tokens would open the whole of it. This address is a port of the
loopback interface. It opens MLflow only, and only with a credential that is made with it. A second
credential, in the path of `gateway_uri`, opens the models of MLflow's AI Gateway only.
"""

import functools
import hmac
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import BasicAuth
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from mlflow_proxy import addresses
from mlflow_proxy.addresses import gateway_credential
from mlflow_proxy.headers import Headers
from mlflow_proxy.life import Life

from .transport import StreamingTransport, request_headers

HOST = "127.0.0.1"
# Every user of this machine may connect.
TIMEOUT = 20.0  # seconds for a request's head, for the body of a refused one, and between requests
MAX_STRANGERS = 100  # connections on which no request with a credential has come
NOT_BY_PROXY = (HOST, "localhost")
REFUSAL = (
    "This address is for programs that the user of this Jupyter server has started. They send "
    "MLFLOW_TRACKING_TOKEN. If MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_AUTH or "
    "~/.mlflow/credentials are set for another server, MLflow sends those in its place: unset "
    "them. A program of another environment that a notebook starts needs "
    f"MLFLOW_TRACKING_TOKEN=${addresses.LOCAL_CREDENTIAL}."
)


class LocalAddress:
    """`url` opens MLflow to requests with `credential`, from its first use to Jupyter's exit."""

    life: Life
    """What runs MLflow; set before Jupyter's loop runs."""

    def __init__(self, server_app: ServerApp) -> None:
        self.credential = secrets.token_urlsafe(32)
        self.gateway_credential = gateway_credential(self.credential)
        self.server_app = server_app
        self.path = str(url_path_join(server_app.base_url, addresses.NAME))
        """The path of `url`, which is that of the dashboard; MLflow is at the root as well."""

    @functools.cached_property
    def server(self) -> "_Server":
        """What serves it; nothing listens before this is asked for."""
        (listener,) = bind_sockets(0, HOST)
        # The handler logs what failed, and kernels send many requests.
        application = web.Application(
            [("/.*", LocalHandler, {"address": self})], log_function=lambda _: None
        )
        server = _Server(application, idle_connection_timeout=TIMEOUT, body_timeout=TIMEOUT)
        server.strangers, server.port = {}, listener.getsockname()[1]
        # Requests wait until Jupyter's loop runs.
        self.server_app.io_loop.add_callback(server.add_socket, listener)
        return server

    @property
    def url(self) -> str:
        """MLflow's address, without a slash at its end."""
        return f"http://{HOST}:{self.server.port}{self.path}"

    @property
    def gateway_uri(self) -> str:
        """The address of the AI Gateway for programs that send no credential."""
        return f"http://{HOST}:{self.server.port}/{self.gateway_credential}"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that name it to programs which have this package."""
        return {addresses.LOCAL_URL: self.url, addresses.LOCAL_CREDENTIAL: self.credential}


class _Server(HTTPServer):
    """Closes the oldest connections of strangers, so that they cannot use up the descriptors.

    A client with a credential sends it as soon as it is connected, so it is not among the oldest.
    """

    port: int
    strangers: dict[IOStream, None]
    """Connections on which no request with a credential has come, the oldest first."""

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self.strangers[stream] = None
        if len(self.strangers) > MAX_STRANGERS:
            oldest = next(iter(self.strangers))
            del self.strangers[oldest]
            oldest.close()
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        self.strangers.pop(server_conn.stream, None)
        super().on_close(server_conn)


class LocalHandler(StreamingTransport):
    """A request of a program on this machine."""

    source = "local"
    waits = True  # not all of the clients try again after a 503
    # Kernels send many small ones, and MLflow's client tries again after a 502.
    on_kept_connections = ("GET", "HEAD", "POST")

    def initialize(self, address: LocalAddress) -> None:
        self.life, self._address = address.life, address

    @property
    def prefix(self) -> str:
        """What stands before MLflow's own path: the dashboard's, a credential or nothing."""
        # `requests` quotes the whole address once more if an artifact's name has a stray "%".
        for path in (self._address.path, self._address.path.replace("%", "%25")):
            if f"{self.request.path}/".startswith(f"{path}/"):
                return path
        return f"/{self._address.gateway_credential}" if self._is_gateway_address() else ""

    def _is_gateway_address(self) -> bool:
        first = self.request.path.split("/")[1]
        return hmac.compare_digest(first.encode(), self._address.gateway_credential.encode())

    async def admit(self, *args: Any, **kwargs: Any) -> None:
        """Check the credential.

        Raises:
            tornado.web.HTTPError: 401, it is not there or wrong.
        """
        if not self._has_credential():
            if self.mlflows_request.wants_page:
                # A person has opened a link that MLflow's client printed.
                jupyter = self._address.server_app.connection_url
                self.redirect(url_path_join(jupyter, addresses.NAME, "/"))
                return
            raise web.HTTPError(HTTPStatus.UNAUTHORIZED, REFUSAL)
        connection: Any = self.request.server_connection
        self._address.server.strangers.pop(connection.stream, None)

    def _has_credential(self) -> bool:
        sent = self.request.headers.get("Authorization", "")
        if addresses.GATEWAY_PATH.fullmatch(self.request.path.removeprefix(self.prefix)):
            if self._is_gateway_address() or is_credential(self._address.gateway_credential, sent):
                return True
        elif self._is_gateway_address():
            return False
        return is_credential(self._address.credential, sent)

    get = head = post = put = patch = delete = options = StreamingTransport.complete

    def sent_headers(self) -> Headers:
        headers = request_headers(self.request.headers, self._address.path)
        dropped = ("Authorization", addresses.MAY_EXECUTE, addresses.PROGRAM)
        kept = (each for each in headers if each[0] not in dropped)
        is_guarded = self.request.headers.get(addresses.PROGRAM) == addresses.GUARDED
        return [*kept, (addresses.PROGRAM, addresses.GUARDED if is_guarded else "true")]

    def write_refusal(self, error: web.HTTPError) -> None:
        self.write({"error_code": "UNAUTHENTICATED", "message": error.log_message})


def is_credential(credential: str, authorization: str) -> bool:
    """Whether the header `authorization` holds `credential`, as a token or as a password."""
    scheme, _, sent = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            sent = BasicAuth.decode(f"{scheme} {sent.strip()}").password
        except ValueError:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(sent.strip().encode("latin-1"), credential.encode())


def without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep clients from asking a proxy for this address or for Jupyter's.

    A notebook may name a proxy at any time.
    """
    found = {name: environment[name] for name in ("no_proxy", "NO_PROXY") if environment.get(name)}
    excepted = next(iter(found.values()), "")
    return {name: _with_own_hosts(found.get(name, excepted)) for name in ("no_proxy", "NO_PROXY")}


def _with_own_hosts(excepted: str) -> str:
    hosts = [each.strip() for each in excepted.split(",") if each.strip()]
    if "*" in hosts:  # which only means every host where it stands alone
        return excepted
    return ",".join([*hosts, *(host for host in NOT_BY_PROXY if host not in hosts)])
