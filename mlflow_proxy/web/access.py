"""Which requests may pass, as Jupyter's own handlers decide.

jupyter-server-proxy leaves the XSRF token and the origin to the program behind it. But MLflow knows
neither Jupyter's cookies nor the origins that Jupyter's configuration admits.

And who may show our pages in a frame: on a hub whose users share one domain, another user's page
could read what it frames, the XSRF cookie included.
"""

import os
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async, url_path_join
from tornado import web

from mlflow_proxy import addresses
from mlflow_proxy.headers import is_own_origin

POLICY = "Content-Security-Policy"
FORBIDDEN = "frame-ancestors 'none'"  # JupyterHub's default
OWN = "frame-ancestors 'self'"  # Jupyter Server's default
RESOURCE = "mlflow"
"""What Jupyter's authorizer is asked about, with the actions "read", "write" and "execute"."""

# Searches that MLflow's API takes by POST. The whole path, since names of artifacts are paths, too.
SEARCH = re.compile(
    r"/graphql|/(?:ajax-)?api/\d\.0/mlflow/(?:ui-telemetry|artifacts/presigned-download-url"
    r"|(?:experiments|runs|logged-models|traces|datasets|issues|prompt-optimization/jobs)"
    r"/(?:search|search-datasets)|registered-models/get-latest-versions"
    r"|traces/(?:batchGetInfos|calculate-filter-correlation|metrics))"
)
# What has MLflow start a job later.
SUBMITS_JOBS = re.compile(r"/+(?:ajax-)?api/3\.0/mlflow/scorers/online-config")


def required_action(method: str, path: str) -> str:
    """What the user must be allowed to do with MLflow, to send a request for `path`."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return "read"
    if method == "POST" and SEARCH.fullmatch(path):
        return "read"
    is_execution = addresses.starts_programs(path) or SUBMITS_JOBS.fullmatch(unquote(path))
    return "execute" if is_execution else "write"


def how_to_log_in() -> str:
    """What a program that was refused has to send; on a hub, also the scope of its token."""
    text = "Log in to Jupyter, or send its token"
    if addresses.HUB not in os.environ:
        return text
    server = f"{os.environ.get('JUPYTERHUB_USER')}/{os.environ.get('JUPYTERHUB_SERVER_NAME', '')}"
    return f"{text}; JupyterHub's needs the scope access:servers!server={server}"


def frame_ancestors(headers: Mapping[str, str], path: str = "/") -> str:
    """The directive for the page at `path`, by the `headers` of Jupyter's settings; may be empty.

    The frame of HTML artifacts has no origin, so that no page can read it.
    """
    policy = headers.get(POLICY, FORBIDDEN if addresses.HUB in os.environ else OWN)
    directives = (directive.strip() for directive in policy.split(";"))
    found = next((each for each in directives if each.startswith("frame-ancestors")), "")
    # With a domain for each user, JupyterHub names its own host.
    has_own_domain = addresses.HUB in os.environ and os.environ.get("JUPYTERHUB_HOST")
    is_safe = has_own_domain or path == addresses.ARTIFACT_FRAME
    return OWN if found == FORBIDDEN and is_safe else found


def may_frame_itself(headers: Mapping[str, str]) -> bool:
    """Whether JupyterLab may show our pages in a frame, by the `headers` of Jupyter's settings."""
    return frame_ancestors(headers) != FORBIDDEN


class AccessChecks(JupyterHandler):
    """Checks the origin and the XSRF token of a request below the dashboard's address."""

    @property
    def prefix(self) -> str:
        """The path of the dashboard's address, without a slash at its end."""
        return str(url_path_join(self.base_url, addresses.NAME))

    def check_xsrf_cookie(self) -> None:
        """Check the token as Jupyter's handlers do; JupyterHub calls this for reads as well.

        Only a browser's page that uses the cookie needs a token. Static files are not the user's,
        and MLflow's worker sends its telemetry without our script.

        Raises:
            tornado.web.HTTPError: 403, the token is missing or wrong.
        """
        path = self.request.path.removeprefix(self.prefix)
        is_static = addresses.STATIC_FILE.fullmatch(path) and self.request.method in ("GET", "HEAD")
        if "Cookie" in self.request.headers and not is_static and path != addresses.TELEMETRY:
            JupyterHandler.check_xsrf_cookie(self)

    def skip_check_origin(self) -> bool:
        """False: MLflow's own server refuses foreign pages that have a token as well."""
        return False

    def is_from_foreign_page(self) -> bool:
        """Whether a page of an origin that Jupyter does not admit has sent the request."""
        headers = self.request.headers
        if "Origin" in headers:
            is_own = is_own_origin(headers["Origin"], headers.get("Host", ""))
            return not (is_own or self.check_origin())
        # A subresource or a frame of another site cannot be read there, but would start MLflow.
        is_elsewhere = headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        is_link = headers.get("Sec-Fetch-Mode") == "navigate"
        is_tab = headers.get("Sec-Fetch-Dest", "document") == "document"
        may_pass = is_link and (is_tab or self._may_be_framed_by(headers.get("Referer", "")))
        return is_elsewhere and not may_pass and not self.check_referer()

    def _may_be_framed_by(self, page: str) -> bool:
        """Whether `frame-ancestors` names the site of `page`, which is an address."""
        parts = urlsplit(page)
        spellings = (parts.netloc, f"{parts.scheme}://{parts.netloc}")
        sources = self.frame_ancestors().split()[1:]
        return any(fnmatchcase(each, source) for each in spellings for source in sources)

    async def may(self, action: str, resource: str = RESOURCE) -> bool:
        """Whether the user may do `action` ("read", "write", "execute"), by Jupyter's authorizer.

        Without one of its own, Jupyter allows everything to everyone who is logged in.
        """
        allowed = self.authorizer.is_authorized(self, self.current_user, action, resource)
        return bool(await ensure_async(allowed))

    async def check_may(self, action: str) -> None:
        """Check that the user may do `action` with MLflow.

        Raises:
            tornado.web.HTTPError: 403, the user may not.
        """
        if not await self.may(action):
            message = f"Jupyter's authorizer does not allow this user to {action} {RESOURCE}"
            raise web.HTTPError(HTTPStatus.FORBIDDEN, message)

    def frame_ancestors(self) -> str:
        path = self.request.path.removeprefix(self.prefix)
        return frame_ancestors(self.settings.get("headers", {}), path)

    def get_login_url(self) -> str:
        """The login page, for a browser that shows it.

        Raises:
            tornado.web.HTTPError: 403, the request is a script's or a program's.
        """
        if "text/html" not in self.request.headers.get("Accept", ""):
            raise web.HTTPError(HTTPStatus.FORBIDDEN, how_to_log_in())
        return str(super().get_login_url())
