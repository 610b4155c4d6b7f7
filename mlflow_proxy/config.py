"""Every setting, as `c.MLflowProxy.<name>` in a Jupyter configuration file.

A bad value stops nothing but MLflow: Jupyter's log and the page of the tile name it.
"""

import contextlib
import functools
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

import traitlets
from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.serverapp import ServerApp
from traitlets import TraitError, TraitType
from traitlets.config import Config, LoggingConfigurable

from . import stores
from .printable import mask_passwords, mask_uri
from .stores import SQLite, Store

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
FALSE_VALUES = ("false", "0")  # of MLflow's variables
SECTION = "MLflowProxy"
MAX_SHOWN = 200  # characters of a value
# MLflow's variables that a setting follows, the first that is set.
VARIABLES = {
    "backend_store_uri": ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_TRACKING_URI"),
    "registry_store_uri": ("MLFLOW_REGISTRY_STORE_URI", "MLFLOW_REGISTRY_URI"),
    "default_artifact_root": ("MLFLOW_DEFAULT_ARTIFACT_ROOT",),
    "job_execution": ("MLFLOW_SERVER_ENABLE_JOB_EXECUTION",),
}
# What most settings take.
TEXT = "a string that a program can be given"
BOOLEAN = "True or False"


class MLflowProxy(LoggingConfigurable):
    """Settings of jupyter-mlflow-proxy."""

    bad_values: Mapping[str, str] = MappingProxyType({})
    """By the name of the setting: what is wrong with the value that was configured for it."""

    sources: Mapping[str, str] = MappingProxyType({})
    """By the name of the setting: where its value comes from, for a person."""

    # `for_kernels`: without its value it is not known what kernels should be given.
    backend_store_uri = traitlets.Unicode(
        help="""
        Where experiments and runs are kept: any store URI of MLflow. With the address of a tracking
        server, `http(s)://...`, the tile shows that server.

        Default: `$MLFLOW_BACKEND_STORE_URI`, else `$MLFLOW_TRACKING_URI`, else
        `sqlite:///<Jupyter root folder>/mlflow.db`, or a file store `mlruns` that is there in its
        place, which MLflow wants migrated since 3.13. Relative SQLite paths start at the Jupyter
        root folder. A password belongs in the environment variable rather than in a file.
        """,
    ).tag(config=True, for_kernels=True, expected=TEXT)

    registry_store_uri = traitlets.Unicode(
        help="""
        Where registered models are kept.

        Default: `$MLFLOW_REGISTRY_STORE_URI`, else `$MLFLOW_REGISTRY_URI`, else the store of
        `backend_store_uri`.
        """,
    ).tag(config=True, for_kernels=True, expected=TEXT)

    default_artifact_root = traitlets.Unicode(
        help="""
        Where new experiments keep their artifacts: a folder, or any artifact URI of MLflow.

        Default: `$MLFLOW_DEFAULT_ARTIFACT_ROOT`, else `<Jupyter root folder>/mlartifacts`.
        """,
    ).tag(config=True, for_kernels=True, expected=TEXT)

    export_tracking_uri = traitlets.Bool(
        True,
        help="""
        Give kernels and terminals `MLFLOW_TRACKING_URI`, so that what they log is what the
        dashboard shows. A value that names another store is never changed.
        """,
    ).tag(config=True, for_kernels=True, expected=BOOLEAN)

    kernels = traitlets.Enum(
        ("auto", "database", "server"),
        "auto",
        help="""
        How kernels and terminals reach the store. "database": they open it themselves. "server":
        they get an HTTP address of this Jupyter server, which only programs on this machine can use
        and only with a credential that they find in their environment; for kernels in R, kernels
        with another MLflow or with mlflow-skinny, and webhooks. "auto": "server" where the database
        holds experiments whose artifacts only MLflow's server can reach, as those of an earlier
        `mlflow ui`, else "database".
        """,
    ).tag(config=True, for_kernels=True, expected="'auto' or 'database' or 'server'")

    job_execution = traitlets.Bool(
        help="""
        Run MLflow's background jobs: LLM judges, evaluations and issue detection that are started
        in the dashboard, judges that evaluate new traces, prompt optimization. They cost nothing
        until there is one; each is a process that ends with its job. A running job is use of
        MLflow. They need a database as the store; of the Labs on one, one runs each job. A tracking
        server runs its own.

        Default: `$MLFLOW_SERVER_ENABLE_JOB_EXECUTION`, else True.
        """,
    ).tag(config=True, expected=BOOLEAN)

    start_timeout = traitlets.Float(
        120.0,
        help="Seconds that MLflow may take to come up, or the start counts as failed. Above 0.",
    ).tag(config=True, expected="a number of seconds above 0")

    prestart = traitlets.Union(
        (traitlets.Bool(), traitlets.Enum(("auto", "kernel"))),
        default_value="auto",
        help="""
        Start MLflow in the background, at low priority, so that the first click finds it up. True:
        ten seconds after Jupyter has started, which costs every user's server the memory of MLflow.
        "kernel": whenever a kernel or a program of a terminal imports MLflow. False: never. "auto":
        as "kernel"; as False on a hub, or if less than 2 GB of memory are free when Jupyter starts,
        by the limits of its cgroup, too.
        """,
    ).tag(config=True, expected="True, False, 'kernel' or 'auto'")

    idle_timeout = traitlets.Float(
        1800.0,
        help="""
        Seconds without use before MLflow is stopped; the next use starts it again. 0: never. Use is
        a page opened, a click, key or scroll in the dashboard, a request of an API client; a
        dashboard that is merely left open is not used, unless it is visible and shows a run that
        is still running, for up to an hour after the last input.
        """,
    ).tag(config=True, expected="a number of seconds above 0, or 0 for never")

    python = traitlets.Unicode(
        sys.executable,
        help="""
        The Python interpreter that runs MLflow: a path, or a program's name. Another environment's
        needs Python 3.10 or newer and MLflow, not this package. It does not get Jupyter's
        `PYTHONPATH`. Default: the interpreter that runs Jupyter.
        """,
    ).tag(config=True, expected=TEXT)

    environment = traitlets.Dict(
        key_trait=traitlets.Unicode(),
        value_trait=traitlets.Unicode(),
        help="""
        Environment variables for the MLflow process, beside those of Jupyter: the credentials of an
        artifact store, say.
        """,
    ).tag(config=True, expected="a dictionary of strings, with names that variables can have")

    log_notebook = traitlets.Union(
        (traitlets.Bool(), traitlets.Enum(("code",))),
        help="""
        When a run ends that a notebook has made, keep the notebook's saved file with it, as the
        artifact `notebook/<name>.ipynb`. Nothing waits for that. It needs this package in the
        kernel's environment. True: with outputs; "code": without them. Default: False.
        """,
    ).tag(config=True, expected="True, False or 'code'")

    log_to_stderr = traitlets.Bool(
        False,
        help="""
        Write MLflow's log to Jupyter's as well, which goes to standard error: for what collects the
        logs of containers. Its lines have the level INFO, so Jupyter's own level must be INFO, as
        it is by default. Without this, Jupyter's log has the warnings only.
        """,
    ).tag(config=True, expected=BOOLEAN)

    allow_upgrade = traitlets.Union(
        (traitlets.Bool(), traitlets.Enum(("auto",))),
        default_value="auto",
        help="""
        Whether the page lets the user upgrade a database of an older MLflow, after which programs
        with an older MLflow cannot open it. "auto": only a SQLite file that belongs to this user.
        Otherwise the page has the command for its administrator. This keeps users from a click,
        not from a program: kernels that open the database have its password.
        """,
    ).tag(config=True, expected="True, False or 'auto'")

    new_browser_tab = traitlets.Bool(
        True,
        help="Open the dashboard in a browser tab of its own; False: inside JupyterLab.",
    ).tag(config=True, expected=BOOLEAN)

    def __init__(self, root_dir: str | None = None, **kwargs: Any) -> None:
        """Read the settings; `root_dir` is Jupyter's root folder, by default the working folder."""
        self.root_dir = Path(root_dir or os.getcwd()).absolute()
        super().__init__(**kwargs)

    @traitlets.default("backend_store_uri")
    def _default_backend_store_uri(self) -> str:
        for name in VARIABLES["backend_store_uri"]:
            if uri := self.normalize_uri(os.environ.get(name)):
                return uri
        database = SQLite.at(self.root_dir / stores.DEFAULT_NAME, links())
        folder = database.hidden_file_store
        return folder.as_uri() if folder else database.uri

    @property
    def backend_store(self) -> Store:
        return Store.parse(self.backend_store_uri)

    @traitlets.default("registry_store_uri")
    def _default_registry_store_uri(self) -> str:
        if uri := self.normalize_uri(os.environ.get("MLFLOW_REGISTRY_STORE_URI")):
            return uri
        uri = self.normalize_uri(os.environ.get("MLFLOW_REGISTRY_URI"))
        # A client may use the registry of a server, but MLflow's server cannot show it.
        return self.backend_store_uri if not uri or Store.parse(uri).is_remote else uri

    @traitlets.default("default_artifact_root")
    def _default_default_artifact_root(self) -> str:
        return self._folder(os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT"))

    @traitlets.default("job_execution")
    def _default_job_execution(self) -> bool:
        return os.environ.get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "").lower() not in FALSE_VALUES

    @traitlets.validate("backend_store_uri", "registry_store_uri")
    def _validate_store_uri(self, proposal: dict[str, Any]) -> str:
        # Only MLflow knows what is wrong with a URI; the page then says it.
        uri = self.normalize_uri(checked_text(proposal["value"]))
        return uri or str(self.trait_defaults(proposal["trait"].name))

    @traitlets.validate("default_artifact_root")
    def _validate_default_artifact_root(self, proposal: dict[str, Any]) -> str:
        return self._folder(checked_text(proposal["value"]))

    def normalize_uri(self, uri: str | None) -> str:
        """Strip quotes, resolve paths relative to the root folder; "" if blank."""
        return stores.normalize_uri(uri, self.root_dir, links())

    def _folder(self, value: str | None) -> str:
        uri = (value or "").strip() or "mlartifacts"
        if URI.match(uri):
            return uri
        return stores.folder_location(self.root_dir / os.path.expanduser(uri))

    @traitlets.validate("start_timeout", "idle_timeout")
    def _validate_seconds(self, proposal: dict[str, Any]) -> float:
        trait, value = proposal["trait"], float(proposal["value"])
        is_timeout = 0 < value < float("inf")
        if not is_timeout and not (trait.name == "idle_timeout" and value == 0):
            expected = trait.metadata["expected"]
            raise TraitError(f"MLflowProxy.{trait.name} is {value:g}; it takes {expected}")
        return value

    @traitlets.validate("python")
    def _validate_python(self, proposal: dict[str, Any]) -> str:
        python = checked_text(proposal["value"])
        if not python.strip():
            return sys.executable
        path = os.path.expanduser(python)
        return str(self.root_dir / path) if os.sep in path else path

    @traitlets.validate("environment")
    def _validate_environment(self, proposal: dict[str, Any]) -> dict[str, str]:
        environment: dict[str, str] = proposal["value"]
        for name, value in environment.items():
            if not checked_text(name) or "=" in name:
                raise TraitError("MLflowProxy.environment has a name that no variable can have")
            checked_text(value)
        return environment


def links() -> Path:
    """A folder in which only this user may write, for the links of `clear_path`."""
    runtime = jupyter_runtime_dir()
    return Path(_temporary_folder().name if stores.UNCLEAR.search(runtime) else runtime)


@functools.lru_cache(maxsize=1)
def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder that is removed when Jupyter ends."""
    return tempfile.TemporaryDirectory(prefix="mlflow-proxy-")


def checked_text(text: str) -> str:
    """`text`, if a program can be given it.

    Raises:
        TraitError: it cannot.
    """
    with contextlib.suppress(UnicodeEncodeError):
        if b"\0" not in os.fsencode(text):
            return text
    raise TraitError("A program cannot be given this text")


def settings() -> MLflowProxy:
    """Read the settings, once for each Jupyter server; what is wrong is logged then."""
    return _read(ServerApp.instance()) if ServerApp.initialized() else MLflowProxy()


@functools.lru_cache(maxsize=1)
def _read(server_app: ServerApp) -> MLflowProxy:
    section = server_app.config.get(SECTION, Config())
    bad = {name: text for name in section if (text := _explain(server_app, name, section[name]))}
    good = Config({name: value for name, value in section.items() if name not in bad})
    config = MLflowProxy(
        root_dir=server_app.root_dir, parent=server_app, config=Config({SECTION: good})
    )
    config.bad_values = bad
    config.sources = {
        name: _source(server_app, section, name) for name in sorted(config.traits(config=True))
    }
    for text in bad.values():
        server_app.log.error("MLflow is not available: %s", text)
    for name in server_app.config.keys() - {SECTION, "MLflowProxyApp"}:
        if get_close_matches(name.lower(), [SECTION.lower()], cutoff=0.8):
            text = "Config section `%s` is not known. Did you mean `%s`?"
            server_app.log.warning(text, name, SECTION)
    return config


def _source(server_app: ServerApp, section: Config, name: str) -> str:
    """Where the value of the setting `name` comes from; `section` is what is configured."""
    if name in server_app.cli_config.get(SECTION, {}):
        return "the command line"
    if name in section:
        read = map(Path, server_app.loaded_config_files)
        found = (str(file) for file in read if name in file.read_text(errors="replace"))
        return " or ".join(found) or "a configuration file"
    set_to = (each for each in VARIABLES.get(name, ()) if os.environ.get(each, "").strip())
    return next((f"${each}" for each in set_to), "default")


def _explain(server_app: ServerApp, name: str, value: Any) -> str:
    """Say what is wrong with `value`; empty if nothing is, or if there is no such setting."""
    trait = MLflowProxy.class_traits(config=True).get(name)
    if trait is None:  # traitlets warns of it
        return ""
    tried = Config({SECTION: Config({name: deepcopy(value)})})
    # traitlets raises several exceptions, whose messages may hold a password.
    with contextlib.suppress(Exception):
        MLflowProxy(root_dir=server_app.root_dir, config=tried)
        # Python takes a bool for 0 or 1.
        if not (isinstance(value, bool) and isinstance(trait, traitlets.Float)):
            return ""
    return f"c.{SECTION}.{name} is {shown(trait, value)}; it takes {trait.metadata['expected']}."


def shown(trait: "TraitType[Any, Any]", value: Any) -> str:
    """`value`, without what may be secret in it."""
    is_variables = isinstance(trait, traitlets.Dict)  # which may be credentials
    if is_variables or not isinstance(value, str | bool | int | float | PurePath | None):
        return f"a value of the type {type(value).__name__}"
    text = mask_uri(str(value)) if isinstance(value, str) else value
    return mask_passwords(repr(text))[:MAX_SHOWN]
