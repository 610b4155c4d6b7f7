"""Who may show our pages in a frame: the sites that Jupyter's configuration allows.

On a hub whose users share one domain, a page of another user is of the same origin. It could read a
page that it shows in a frame, the XSRF cookie included, so JupyterHub forbids all frames.
"""

import os
from collections.abc import Mapping

from mlflow_proxy.shared.addresses import ARTIFACT_FRAME
from mlflow_proxy.shared.hub import is_on_hub

FORBIDDEN = "frame-ancestors 'none'"  # JupyterHub's default
OWN = "frame-ancestors 'self'"  # Jupyter Server's default
POLICY = "Content-Security-Policy"


def frame_ancestors(headers: Mapping[str, str], path: str = "/") -> str:
    """The directive for the page at `path`, by the `headers` of Jupyter's settings; may be empty.

    The frame of HTML artifacts has no origin, so that no page can read it.
    """
    policy = headers.get(POLICY, FORBIDDEN if is_on_hub() else OWN)
    directives = (directive.strip() for directive in policy.split(";"))
    found = next((each for each in directives if each.startswith("frame-ancestors")), "")
    # With a domain for each user, JupyterHub names its own host.
    has_own_domain = is_on_hub() and os.environ.get("JUPYTERHUB_HOST")
    is_safe = has_own_domain or path == ARTIFACT_FRAME
    return OWN if found == FORBIDDEN and is_safe else found


def may_frame_itself(headers: Mapping[str, str]) -> bool:
    """Whether JupyterLab may show our pages in a frame, by the `headers` of Jupyter's settings."""
    return frame_ancestors(headers) != FORBIDDEN
