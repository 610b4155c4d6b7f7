"""The settings of the Jupyter server that runs in this process, with what is wrong with them.

A bad value stops nothing but MLflow: Jupyter's log and the page of the tile name it.
"""

import functools
from collections.abc import Iterator
from copy import deepcopy
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from jupyter_server.serverapp import ServerApp
from traitlets import Bool, Dict, Enum, Float, TraitType, Unicode
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from mlflow_proxy.shared.passwords import mask_passwords, mask_uri

from .config import MLflowProxy

SECTION = MLflowProxy.__name__
OWN_SECTIONS = frozenset({SECTION, "MLflowProxyApp"})
MAX_SHOWN = 200  # characters of a value
# Quoted: the oldest traitlets has no type parameters.
TYPES: "dict[type[TraitType[Any, Any]], str]" = {
    Bool: "True or False",
    Dict: "a dictionary",
    Float: "a number",
    Unicode: "a string that a program can be given",
}


def settings() -> MLflowProxy:
    """Read the settings, once for each Jupyter server; what is wrong is logged then."""
    return _read(ServerApp.instance()) if ServerApp.initialized() else MLflowProxy()


@functools.lru_cache(maxsize=1)
def _read(server_app: ServerApp) -> MLflowProxy:
    section = _section(server_app)
    bad = {name: text for name in section if (text := _explain(server_app, name, section[name]))}
    good = Config({name: value for name, value in section.items() if name not in bad})
    config = MLflowProxy(
        root_dir=server_app.root_dir, parent=server_app, config=Config({SECTION: good})
    )
    config.bad_values = bad
    for text in bad.values():
        server_app.log.error("MLflow is not available: %s", text)
    for name in _misspelt_sections(server_app.config):
        server_app.log.warning(
            "Config section `%s` is not known. Did you mean `%s`?", name, SECTION
        )
    return config


def _section(server_app: ServerApp) -> Config:
    """What is configured, as `c.MLflowProxy` and as `c.ServerApp.MLflowProxy`."""
    section = Config()
    config = server_app.config
    for parent in (config, *(config.get(name, {}) for name in server_app.section_names())):
        section.merge(deepcopy(parent.get(SECTION, {})))
    return section


def _explain(server_app: ServerApp, name: str, value: Any) -> str:
    """Say what is wrong with `value`; empty if nothing is, or if there is no such setting."""
    trait = MLflowProxy.class_traits(config=True).get(name)
    if trait is None:  # traitlets warns of it
        return ""
    if _is_possible(server_app, name, value) and not _is_bool_for_number(trait, value):
        return ""
    return f"c.{SECTION}.{name} is {shown(trait, value)}; it takes {expected(trait)}."


def _is_possible(server_app: ServerApp, name: str, value: Any) -> bool:
    config = Config({SECTION: Config({name: deepcopy(value)})})
    try:
        MLflowProxy(root_dir=server_app.root_dir, config=config)
    except Exception:  # traitlets raises several, whose messages may hold a password
        return False
    return True


def _is_bool_for_number(trait: "TraitType[Any, Any]", value: Any) -> bool:
    return isinstance(value, bool) and isinstance(trait, Float)  # Python takes it for 0 or 1


def expected(trait: "TraitType[Any, Any]") -> str:
    """What the setting takes, for a person."""
    if isinstance(trait, Enum):
        return " or ".join(repr(each) for each in trait.values or ())
    known = (text for kind, text in TYPES.items() if isinstance(trait, kind))
    return str(trait.metadata.get("expected") or next(known, trait.info()))


def shown(trait: "TraitType[Any, Any]", value: Any) -> str:
    """`value`, without what may be secret in it."""
    if isinstance(value, LazyConfigValue):
        return "changed in place"
    if isinstance(value, DeferredConfig):  # of the command line
        value = str(value) if isinstance(value, str) else [*value]  # type: ignore[misc]
    if isinstance(trait, Dict):  # of variables, which may be credentials
        if not isinstance(value, dict):
            return f"no dictionary but a value of the type {type(value).__name__}"
        items = ", ".join(map(_shown_item, value.items()))
        return f"a dictionary of {items}"[:MAX_SHOWN]
    if isinstance(value, str):
        return mask_passwords(repr(mask_uri(value)))[:MAX_SHOWN]
    if isinstance(value, bool | int | float | PurePath | None):
        return mask_passwords(repr(value))[:MAX_SHOWN]
    return f"a value of the type {type(value).__name__}"


def _shown_item(item: tuple[Any, Any]) -> str:
    name, value = item
    before, equals, _ = str(name).partition("=")  # after which there may be a value
    shown_name = mask_passwords(repr(f"{before}=***" if equals else name))
    what = "***" if isinstance(value, str) else f"a value of the type {type(value).__name__}"
    return f"{shown_name}: {what}"


def _misspelt_sections(config: Config) -> Iterator[str]:
    for name in config:
        is_close = get_close_matches(name.lower(), [SECTION.lower()], cutoff=0.8)
        if is_close and name not in OWN_SECTIONS and config[name]:
            yield name
