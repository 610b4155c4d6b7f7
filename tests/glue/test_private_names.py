"""The private names of tornado and jupyter-server-proxy that our handler relies on are there.

`mlflow_proxy/jupyter/handler.py`, `access.py` and `prestart.py` use them. The transport's tests hold
how they work together; these say which name has gone.
"""

from __future__ import annotations

import inspect

import pytest
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.handlers import (
    ProxyHandler,
    SuperviseAndProxyHandler,
    WebSocketHandlerMixin,
)
from tornado import web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders
from tornado.routing import ReversibleRuleRouter


@pytest.mark.parametrize(
    "name", ["_transforms", "_write_buffer", "_headers_written", "_headers", "_finished"]
)
def test_a_tornado_handler_has_the_attribute(name: str) -> None:
    source = inspect.getsource(web.RequestHandler)
    assert f"self.{name} =" in source or f"self.{name}:" in source


def test_tornado_logs_a_request_with_the_method_that_we_override() -> None:
    assert "self._log()" in inspect.getsource(web.RequestHandler)


def test_tornado_streams_a_body_to_a_handler_after_prepare() -> None:
    source = inspect.getsource(web.RequestHandler._execute)
    assert source.index("self.prepare()") < source.index("_body_future")
    assert callable(web.stream_request_body)


def test_a_connection_takes_a_larger_body_and_can_be_closed() -> None:
    assert list(inspect.signature(HTTP1Connection.set_max_body_size).parameters)[1:]
    assert callable(HTTP1Connection.close)


def test_jupyter_server_proxy_starts_the_process_in_a_method_of_its_own() -> None:
    assert inspect.iscoroutinefunction(SuperviseAndProxyHandler.ensure_process)
    for name in ("get_cmd", "proxy_request_headers", "_record_activity", "prepare"):
        assert callable(getattr(SuperviseAndProxyHandler, name))


@pytest.mark.parametrize(
    "method", ["http_get", "post", "put", "delete", "head", "patch", "options"]
)
def test_every_method_leads_to_proxy(method: str) -> None:
    assert "self.proxy(" in inspect.getsource(getattr(SuperviseAndProxyHandler, method))


def test_flush_has_to_be_tornados_own() -> None:
    """The mixin replaces it on the instance by a wrapper that returns nothing."""
    assert "flush" in inspect.getsource(WebSocketHandlerMixin)
    assert inspect.signature(web.RequestHandler.flush).parameters.keys() == {
        "self",
        "include_footers",
    }


def test_the_connections_end_reaches_both_base_classes() -> None:
    assert callable(web.RequestHandler.on_connection_close)
    assert callable(ProxyHandler.on_connection_close)


def test_jupyter_server_proxy_switches_the_xsrf_check_off_and_jupyter_has_one() -> None:
    """So ours has to call Jupyter's by name, where JupyterHub replaces it."""
    assert ProxyHandler.check_xsrf_cookie is not JupyterHandler.check_xsrf_cookie
    assert "check_xsrf_cookie" in vars(JupyterHandler)


@pytest.mark.parametrize("name", ["check_origin", "check_referer", "skip_check_origin"])
def test_jupyter_judges_origins(name: str) -> None:
    assert callable(getattr(JupyterHandler, name))
    assert "self.skip_check_origin()" in inspect.getsource(JupyterHandler.check_origin)


def test_a_description_makes_a_handler_and_its_arguments() -> None:
    process = ServerProcess(name="mlflow", command=["true"], unix_socket="/socket")
    handler, arguments = process.make_proxy_handler()
    assert issubclass(handler, SuperviseAndProxyHandler)
    assert isinstance(arguments, dict)
    assert "unix_socket" in inspect.getsource(handler) or hasattr(handler, "unix_socket")


def test_the_first_route_of_a_router_wins() -> None:
    router = ReversibleRuleRouter()
    assert router.rules == []
    assert "for rule in self.rules" in inspect.getsource(ReversibleRuleRouter.find_handler)


def test_headers_are_copied_with_their_duplicates() -> None:
    headers = HTTPHeaders()
    headers.add("a", "1")
    headers.add("a", "2")
    assert list(headers.copy().get_all()) == [("A", "1"), ("A", "2")]
