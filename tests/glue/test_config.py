"""Settings have defaults, read the environment, and refuse values that cannot work."""

from __future__ import annotations

import ast
import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from traitlets import TraitError

from mlflow_proxy import kernels
from mlflow_proxy.config import MLflowProxy

VARIABLES = (
    "MLFLOW_ALLOW_FILE_STORE",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_STORE_URI",
    "MLFLOW_REGISTRY_URI",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT",
)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_default_store_is_in_the_root_folder() -> None:
    config = MLflowProxy(root_dir="/work")
    assert config.backend_store_uri == "sqlite:////work/mlflow.db"
    assert config.registry_store_uri == "sqlite:////work/mlflow.db"
    assert config.default_artifact_root == "/work/mlartifacts"
    assert config.python == sys.executable


def test_a_store_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://tracking")
    assert MLflowProxy().backend_store_uri == "postgresql://tracking"
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://backend")
    assert MLflowProxy().backend_store_uri == "postgresql://backend"
    monkeypatch.setenv("MLFLOW_REGISTRY_STORE_URI", "postgresql://registry")
    assert MLflowProxy().registry_store_uri == "postgresql://registry"
    monkeypatch.setenv("MLFLOW_DEFAULT_ARTIFACT_ROOT", "s3://bucket/path")
    assert MLflowProxy().default_artifact_root == "s3://bucket/path"


def test_a_blank_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = MLflowProxy(root_dir="/work")
    for name in VARIABLES:
        monkeypatch.setenv(name, "  ")
    config = MLflowProxy(root_dir="/work", backend_store_uri=" ", default_artifact_root="")
    assert config.backend_store_uri == defaults.backend_store_uri
    assert config.registry_store_uri == defaults.registry_store_uri
    assert config.default_artifact_root == defaults.default_artifact_root


def test_the_registry_of_clients_is_the_dashboards_unless_it_is_a_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///registry.db")
    assert MLflowProxy(root_dir="/work").registry_store_uri == "sqlite:////work/registry.db"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
    assert MLflowProxy(root_dir="/work").registry_store_uri == "sqlite:////work/mlflow.db"


def test_a_setting_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://backend")
    config = MLflowProxy(backend_store_uri="mysql://configured")
    assert config.backend_store_uri == "mysql://configured"
    assert config.registry_store_uri == "mysql://configured"


def test_a_file_store_is_the_default_if_there_is_no_database(tmp_path: Path) -> None:
    experiment = tmp_path / "mlruns" / "0"
    experiment.mkdir(parents=True)
    database = f"sqlite:///{tmp_path}/mlflow.db"
    assert MLflowProxy(root_dir=str(tmp_path)).backend_store_uri == database
    (experiment / "meta.yaml").touch()
    store = (tmp_path / "mlruns").as_uri()
    assert MLflowProxy(root_dir=str(tmp_path)).backend_store_uri == store
    (tmp_path / "mlflow.db").touch()
    assert MLflowProxy(root_dir=str(tmp_path)).backend_store_uri == database


@pytest.mark.parametrize(
    ("uri", "anchored"),
    [
        ("sqlite:///mlflow.db", "sqlite:////work/mlflow.db"),
        ("sqlite:///runs/mlflow.db", "sqlite:////work/runs/mlflow.db"),
        ("sqlite+pysqlite:///mlflow.db", "sqlite+pysqlite:////work/mlflow.db"),
        ("sqlite:////absolute/mlflow.db", "sqlite:////absolute/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("https://tracking.example", "https://tracking.example"),
        ("what is this", "what is this"),
    ],
)
def test_a_relative_database_path_starts_at_the_root_folder(
    uri: str, anchored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MLflowProxy(root_dir="/work", backend_store_uri=uri).backend_store_uri == anchored
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert MLflowProxy(root_dir="/work").backend_store_uri == anchored


@pytest.mark.parametrize(
    ("uri", "anchored"),
    [
        ("artifacts", "/work/artifacts"),
        ("~/artifacts", str(Path("~/artifacts").expanduser())),
        ("/mnt/artifacts", "/mnt/artifacts"),
        ("s3://bucket", "s3://bucket"),
        ("file:/mnt/artifacts", "file:/mnt/artifacts"),
    ],
)
def test_a_relative_artifact_folder_starts_at_the_root_folder(uri: str, anchored: str) -> None:
    config = MLflowProxy(root_dir="/work", default_artifact_root=uri)
    assert config.default_artifact_root == anchored


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_start_timeout_that_is_not_positive_and_finite_is_refused(seconds: float) -> None:
    with pytest.raises(TraitError, match=r"MLflowProxy\.start_timeout .* seconds above 0"):
        MLflowProxy(start_timeout=seconds)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_an_idle_timeout_that_is_negative_or_not_finite_is_refused(seconds: float) -> None:
    with pytest.raises(TraitError, match=r"MLflowProxy\.idle_timeout .* or 0 for never"):
        MLflowProxy(idle_timeout=seconds)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    traits = MLflowProxy.class_own_traits(config=True)
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Settings")[2].partition("\n\n## ")[0]
    defaults = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", table, re.M))
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.M)) == sorted(traits)
    assert sorted(defaults) == sorted(traits)
    assert all(text.strip() for text in defaults.values())
    for name in traits:
        with suppress(ValueError, SyntaxError):  # not a value but a description of one
            assert ast.literal_eval(defaults[name].strip("`")) == getattr(MLflowProxy(), name)


def test_every_setting_says_what_it_does() -> None:
    traits = MLflowProxy.class_own_traits(config=True)
    assert all(len(trait.help) > 40 for trait in traits.values())
    assert all(trait.metadata["expected"] for trait in traits.values())


def test_the_bucket_of_served_artifacts_may_be_set_for_mlflow_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", "s3://of-jupyter")
    config = MLflowProxy(root_dir="/work", default_artifact_root="mlflow-artifacts:/")
    assert kernels.artifacts_destination(config) == "s3://of-jupyter"
    config.environment = {"MLFLOW_ARTIFACTS_DESTINATION": "s3://of-mlflow"}
    assert kernels.artifacts_destination(config) == "s3://of-mlflow"
