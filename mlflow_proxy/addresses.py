"""Paths, headers and file names on which two processes, pages or scripts agree.

Paths are those below the dashboard's address. Pages receive theirs as data: no script spells one.
"""

import hmac
import re
from urllib.parse import unquote

NAME = "mlflow"
"""Of the entry point, and so of the route below Jupyter's base URL."""

HUB = "JUPYTERHUB_SERVICE_PREFIX"
"""Environment variable of a Jupyter server that JupyterHub has started, and of its processes."""

OWN_VARIABLES = "MLFLOW_PROXY_"
"""Prefix of the environment variables that are ours: nothing else sets them."""

# Environment variables of kernels: the dashboard's address in the browser, and whether a notebook
# may show its pages in a frame.
DASHBOARD_URL = "MLFLOW_PROXY_DASHBOARD_URL"
FRAMES = "MLFLOW_PROXY_FRAMES"
# The URI by which kernels reach the dashboard's store. `MLFLOW_TRACKING_URI` starts with the same
# value, but a notebook may change it.
STORE_URI = "MLFLOW_PROXY_STORE_URI"
# `c.MLflowProxy.log_notebook`: empty, "True" or "code".
LOG_NOTEBOOK = "MLFLOW_PROXY_LOG_NOTEBOOK"
# The port and token of a notice that MLflow was imported, with `prestart = "kernel"`.
IMPORT_NOTICE = "MLFLOW_PROXY_IMPORT_NOTICE"

# Environment variables of the MLflow process. Which settings have values that they cannot have.
BAD_SETTINGS = "MLFLOW_PROXY_BAD_SETTINGS"

# The address for the user's own processes (kernels, MLflow's jobs), and the credential for it.
LOCAL_URL = "MLFLOW_PROXY_LOCAL_URL"
LOCAL_CREDENTIAL = "MLFLOW_PROXY_LOCAL_CREDENTIAL"
# Value of `MLFLOW_TRACKING_AUTH` that has MLflow's client send the credential to that address only:
# the name of the entry point `mlflow.request_auth_provider`.
AUTH_PROVIDER = "mlflow-proxy"

# MLflow's variables of credentials, which its client sends to whatever tracking server it asks.
USERNAME = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105 (a name)
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105
AUTH = "MLFLOW_TRACKING_AUTH"
SIGV4 = "MLFLOW_TRACKING_AWS_SIGV4"
CREDENTIALS = (USERNAME, TOKEN, AUTH, SIGV4)  # a password alone is not sent

# What MLflow does: one document under two names, and what can be done about it, by POST.
CONTROL = "/_proxy/control"
STATUS = "/_proxy/status"
CONTROL_START = f"{CONTROL}/start"
CONTROL_STOP = f"{CONTROL}/stop"
CONTROL_RESTART = f"{CONTROL}/restart"
CONTROL_UPGRADE = f"{CONTROL}/repair/upgrade"
CONTROL_LOG = f"{CONTROL}/log"
# The dashboard's page, for the loading page to load in a hidden frame. It stands beside the
# dashboard itself, because its links are relative.
DASHBOARD_FRAME = "/_proxy_dashboard"

# Takes notice of an input in the dashboard that causes no request.
INPUT = "/_proxy/input"
# Message of JupyterLab's page to the dashboard in its tab: an input of the user (see
# lab/static/page.js).
INPUT_MESSAGE = "mlflow-input"
# The MLflow process's page in which the dashboard shows an HTML artifact.
ARTIFACT_FRAME = "/_proxy/artifact_frame"
# Header of the dashboard's requests: seconds since the user's last input, or 0 while the user
# watches a run.
IDLE_HEADER = "X-MLflow-Proxy-Idle"
# Seconds from an input to the last request that it causes. MLflow's tables refresh themselves every
# 30 s; this must be less, so that a click before a refresh does not make the refresh use.
ATTENDED = 15.0

# Header of a request whose sender may run code in Jupyter. Jupyter sets it, and no client can.
MAY_EXECUTE = "X-Mlflow-Proxy-May-Execute"

# Header of a request that came through the address for the user's own processes. Jupyter sets it;
# "guarded" if the client sends the credential nowhere else, which it says by the same header.
PROGRAM = "X-Mlflow-Proxy-Program"
GUARDED = "guarded"

# Header of a request that waits until MLflow is ready, also while it starts for the first time
# (RFC 7240, 4.3; in seconds, as long as MLflow's client waits by default).
WAIT = ("Prefer", "wait=120")

# MLflow's own paths.
STATIC_FILES = "/static-files"
# The exact form of a static file's path: nothing in it that a server could decode or resolve to
# another path. What is exempt because it is static has this form.
STATIC_FILE = re.compile(rf"{STATIC_FILES}(?:/(?!\.)[\w.~-]+)+", re.ASCII)
TRACE_PAGE = f"{STATIC_FILES}/lib/notebook-trace-renderer/index.html"
TELEMETRY = "/ajax-api/3.0/mlflow/ui-telemetry"
CURRENT_USER = "/ajax-api/2.0/mlflow/users/current"
RUN = "/ajax-api/2.0/mlflow/runs/get"
RUN_SEARCH = "/ajax-api/2.0/mlflow/runs/search"
GRAPHQL = "/graphql"
GATEWAY = "/gateway/"
# A path of the AI Gateway, as received. It has no segment that could lead elsewhere, however often
# it is decoded.
GATEWAY_PATH = re.compile(
    r"/gateway(?:/(?!\.{1,2}(?:/|$))"
    r"(?:[\w.:~@!$&'()*+,;=-]|%(?!2[5EeFf]|5[Cc])[0-9A-Fa-f]{2})+)+",
    re.ASCII,
)
ASSISTANT = "/ajax-api/3.0/mlflow/assistant/"
# The Assistant, jobs, and judges, which may be Python code if the admin allows that.
STARTS_PROGRAMS = re.compile(
    rf".*{ASSISTANT}.*|/(?:ajax-)?api/3\.0/(?:mlflow/)?(?:[\w-]+/)*(?:jobs(?:/.*)?|invoke)",
    re.DOTALL,
)

# Where MLflow's dashboard keeps its theme in the browser's storage: "true" is dark.
THEME_KEY = "_mlflow_dark_mode_toggle_enabled"
# There it keeps the mode that the user has chosen, as JSON.
MODE_KEY = "mlflow.workflowType_v1"
# There it notes that its Assistant has opened by itself, which it does once.
ASSISTANT_KEY = "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1"

JOBS_FOLDER = "jobs"
"""Name of the folder, beside the socket, of the files of MLflow's jobs."""

PROVIDER_FOLDER = "provider"
"""Name of the folder, beside the socket, from which jobs import what signs in at the address."""


def below(path: str) -> str:
    """`path` relative to the dashboard's address, for a link in a page."""
    return path.removeprefix("/")


def starts_programs(path: str) -> bool:
    """Whether a request for `path`, decoded or as received, may have MLflow start a program.

    MLflow takes several slashes for one.
    """
    return STARTS_PROGRAMS.fullmatch(re.sub("/+", "/", unquote(path))) is not None


def gateway_credential(credential: str) -> str:
    """The credential that opens only the AI Gateway, and that does not tell `credential`.

    A client of an OpenAI-compatible API sends an API key of its own, and MLflow's judges send none.
    So this is a part of an address, which may reach a log or a trace.
    """
    return hmac.new(credential.encode(), b"gateway", "sha256").hexdigest()
