"""A bad setting is named, with its value and what was expected; the others are read."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigList, DeferredConfigString

from mlflow_proxy import plugin
from mlflow_proxy.config import MLflowProxy, settings
from support.processes import BIN, environment

TEXT = "a string that a program can be given"
BOOLEAN = "True or False"
KERNELS = "'auto' or 'database' or 'server'"
PRESTART = "True, False, 'kernel' or 'auto'"
START = "a number of seconds above 0"
IDLE = "a number of seconds above 0, or 0 for never"
VARIABLES = "a dictionary of strings, with names that variables can have"


@pytest.fixture(autouse=True)
def no_server_is_left() -> Iterator[None]:
    yield
    ServerApp.clear_instance()


def read(configured: dict[str, Any], tmp_path: Path, **sections: Any) -> MLflowProxy:
    """The settings of a server with this configuration."""
    ServerApp.clear_instance()
    config = Config({"MLflowProxy": Config(configured), **sections})
    log = logging.getLogger("of a test")
    ServerApp.instance(config=config, root_dir=str(tmp_path), log=log)
    return settings()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (("backend_store_uri", 5), ("5", TEXT)),
        (("backend_store_uri", None), ("None", TEXT)),
        (("backend_store_uri", Path("/x.db")), ("PosixPath('/x.db')", TEXT)),
        (("backend_store_uri", "a://me:hunter2@b\0"), (r"'a://me:***@b\x00'", TEXT)),
        (("registry_store_uri", ["a://me:hunter2@b"]), ("a value of the type list", TEXT)),
        (("registry_store_uri", {"password": "hunter2"}), ("a value of the type dict", TEXT)),
        (("default_artifact_root", b"s3://me:hunter2@b\0"), ("a value of the type bytes", TEXT)),
        (("export_tracking_uri", "maybe"), ("'maybe'", BOOLEAN)),
        (("kernels", "databases"), ("'databases'", KERNELS)),
        (("kernels", True), ("True", KERNELS)),
        (("start_timeout", 0), ("0", START)),
        (("start_timeout", "120"), ("'120'", START)),
        (("start_timeout", DeferredConfigString("2m")), ("'2m'", START)),
        (("start_timeout", True), ("True", START)),
        (("idle_timeout", -1), ("-1", IDLE)),
        (("idle_timeout", float("nan")), ("nan", IDLE)),
        (("idle_timeout", DeferredConfigString("inf")), ("'inf'", IDLE)),
        (
            ("idle_timeout", DeferredConfigList(["1", "2"])),
            ("a value of the type DeferredConfigList", IDLE),
        ),
        (("idle_timeout", None), ("None", IDLE)),
        (("prestart", "sometimes"), ("'sometimes'", PRESTART)),
        (("prestart", 2), ("2", PRESTART)),
        (("python", 3.12), ("3.12", TEXT)),
        (("python", "/a\ud800b"), (r"'/a\ud800b'", TEXT)),
        (("environment", "A=hunter2"), ("a value of the type str", VARIABLES)),
        (
            ("environment", DeferredConfigString("hunter2")),
            ("a value of the type DeferredConfigString", VARIABLES),
        ),
        (("environment", {"KEY": "hunter2", "PORT": 5}), ("a value of the type dict", VARIABLES)),
        (("environment", {"a=b": "hunter2"}), ("a value of the type dict", VARIABLES)),
        (("environment", {"A": "hunter2\0"}), ("a value of the type dict", VARIABLES)),
        (("environment", {"": "hunter2"}), ("a value of the type dict", VARIABLES)),
        (("new_browser_tab", 2), ("2", BOOLEAN)),
        (("log_to_stderr", "yes"), ("'yes'", BOOLEAN)),
        (("allow_upgrade", "never"), ("'never'", "True, False or 'auto'")),
    ],
)
def test_a_bad_value_is_named_and_the_others_are_read(
    setting: tuple[str, Any],
    told: tuple[str, str | None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (name, value), (shown, expected) = setting, told
    good = "idle_timeout" if name == "start_timeout" else "start_timeout"
    config = read({name: value, good: 7}, tmp_path)
    assert list(config.bad_values) == [name]
    text = config.bad_values[name]
    start = f"c.MLflowProxy.{name} is {shown}; it takes "
    assert text == f"{start}{expected}." if expected else text.startswith(start)
    assert getattr(config, good) == 7
    assert getattr(config, name) == getattr(MLflowProxy(root_dir=str(tmp_path)), name)
    assert [record.getMessage() for record in caplog.records] == [
        f"MLflow is not available: {text}"
    ]
    assert settings() is config  # so that it is logged once
    process = plugin.server_process()
    assert text.replace("{", "{{").replace("}", "}}") in process["environment"].values()
    assert "hunter2" not in str(process) + caplog.text


def test_good_values_are_taken_from_wherever_they_are(tmp_path: Path) -> None:
    configured = {
        "environment": {"A": "b"},
        "idle_timeout": DeferredConfigString("0"),
        "kernels": "server",
        "prestart": DeferredConfigString("true"),
        "python": "envs/one/bin/python",
    }
    config = read(configured, tmp_path)
    assert not config.bad_values
    assert (config.kernels, config.idle_timeout, config.prestart) == ("server", 0, True)
    assert read({"prestart": DeferredConfigString("kernel")}, tmp_path).prestart == "kernel"
    assert config.environment == {"A": "b"}
    assert config.python == f"{tmp_path}/envs/one/bin/python"
    assert read({"python": "python3.12"}, tmp_path).python == "python3.12"
    assert read({"python": "~/a b/python"}, tmp_path).python == str(Path.home() / "a b" / "python")


@pytest.mark.parametrize(
    ("configured", "warning"),
    [
        ({"idle_timeou": 3}, "Did you mean `idle_timeout`?"),
        ({"store": "a://me:hunter2@b"}, "Config option `store` not recognized by `MLflowProxy`."),
    ],
)
def test_an_unknown_name_warns_once(
    configured: dict[str, Any], warning: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not read(configured, tmp_path).bad_values
    settings()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert warning in record.getMessage()
    assert "hunter2" not in record.getMessage()
    if meant := re.findall("Did you mean `(.*)`", record.getMessage()):
        assert read({meant[0]: 3}, tmp_path).idle_timeout == 3
        assert caplog.records == [record]


@pytest.mark.parametrize("name", ["MlflowProxy", "MLFlowProxy", "MLflowProxi", "MlFlow_Proxy"])
def test_a_misspelt_section_warns(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read({}, tmp_path, **{name: Config({"idle_timeout": 3}), "LabApp": Config({"a": 1})})
    (record,) = caplog.records
    assert f"`{name}` is not known. Did you mean `MLflowProxy`?" in record.getMessage()
    read({"idle_timeout": 3}, tmp_path)
    assert caplog.records == [record]


def test_jupyter_mlflow_proxy_lists_and_generates_all_settings(tmp_path: Path) -> None:
    def jupyter(option: str) -> str:
        command = [str(BIN / "jupyter"), "mlflow-proxy", option]
        return subprocess.check_output(command, env=environment(tmp_path), text=True)

    text = " ".join(jupyter("--help-all").split())
    for name, trait in MLflowProxy.class_own_traits(config=True).items():
        assert f"--MLflowProxy.{name}=<" in text
        assert " ".join(trait.help.split())[:60] in text
    jupyter("--generate-config")
    file = tmp_path / "config" / "jupyter_mlflow_proxy_config.py"
    for name in MLflowProxy.class_own_traits(config=True):
        assert f"\n# c.MLflowProxy.{name} = " in file.read_text()
