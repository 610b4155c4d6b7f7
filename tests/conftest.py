"""Fixtures: real servers with cleanup. Which tests run when, and which on the oldest releases."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from support.databases import LATEST, make_database
from support.lab import Lab, lab_server
from support.server import pool

# A shell ignores SIGINT for what it runs in the background, and programs inherit that: JupyterHub's
# services would then take 15 seconds to end.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
SHARED = ("tests/examples", "tests/hub")  # folders whose tests share one server
# What takes longest, in this order, so that no worker is left alone with one of them at the end.
LONGEST = (
    "tests/hub",
    "tests/examples",
    "tests/browser/test_watched.py",
    "tests/server/test_mlflow_jobs.py",
    "tests/browser/test_lab_sidebar.py",
    "tests/browser/test_stored_content.py",
    "tests/lab/test_replaced_store.py",
    "tests/life/test_package_remedies.py",
    "tests/lab/test_notebook.py",
    "tests/life/test_other_environments.py",
    "tests/lab/test_kernel_address.py",
    "tests/browser/test_lab_tab.py",
    "tests/lab/test_remote_server.py",
    "tests/lab/test_kernels.py",
    "tests/browser/test_saved_notebook.py",
    "tests/browser/test_journeys.py",
    "tests/lab/test_moved_root.py",
    "tests/lab/test_old_store.py",
    "tests/lab/test_remote_conformance.py",
    "tests/lab/test_crash.py",
    "tests/lab/test_jobs.py",
)
# Files and tests whose outcome depends on a release of MLflow, Jupyter, aiohttp or traitlets: as if
# they were marked `release`.
RELEASE = (
    "tests/glue/test_entry_point.py",
    "tests/glue/test_private_names.py",
    "tests/glue/test_settings.py",
    "tests/server/test_artifact_failures.py",
    "tests/server/test_failures.py::test_a_failure_has_a_reason_and_a_remedy",
    "tests/server/test_failures.py::test_a_refused_file_store_has_its_migration_as_remedy",
    "tests/server/test_failures.py::test_a_store_of_an_unknown_kind_has_the_known_kinds_in_its_reason",
    "tests/server/test_failures.py::test_the_cause_of_an_error_is_explained",
    "tests/server/test_locations.py::test_a_renamed_root_is_updated",
    "tests/server/test_locations.py::test_a_separate_registry_is_updated_too",
    "tests/server/test_locations.py::test_a_new_root_is_spelt_as_mlflow_reads_it",
    "tests/server/test_mlflow_app.py",
    "tests/server/test_mlflow_jobs.py",
    "tests/server/test_remote_credentials.py::test_they_are_those_of_mlflows_client",
    "tests/server/test_remote_failures.py::test_a_certificate_for_another_name",
    "tests/server/test_remote_failures.py::test_a_certificate_that_has_expired",
    "tests/server/test_remote_failures.py::test_a_private_authority_must_be_named",
    "tests/server/test_remote_failures.py::test_a_server_that_never_answers",
    "tests/server/test_remote_failures.py::test_a_server_that_wants_a_certificate",
    "tests/server/test_remote_failures.py::test_an_address_without_a_server",
    "tests/server/test_remote_failures.py::test_http_where_tls_is_spoken_and_the_other_way",
    "tests/server/test_remote_plugins.py",
    "tests/server/test_remote_proxy.py::test_a_disconnect_in_an_upload_ends_the_request",
    "tests/server/test_remote_proxy.py::test_a_large_upload_is_sent_once",
    "tests/server/test_remote_proxy.py::test_a_request_arrives_below_the_servers_address",
    "tests/server/test_remote_proxy.py::test_a_response_that_breaks_off_is_not_completed",
    "tests/server/test_remote_proxy.py::test_a_slow_client_slows_the_download",
    "tests/server/test_remote_proxy.py::test_a_slow_server_slows_the_upload",
    "tests/server/test_remote_proxy.py::test_a_small_response_that_breaks_off_is_a_bad_gateway",
    "tests/server/test_remote_proxy.py::test_an_early_refusal_reaches_the_client",
    "tests/server/test_remote_proxy.py::test_connections_are_reused",
    "tests/server/test_remote_proxy.py::test_events_are_not_buffered",
    "tests/server/test_remote_proxy.py::test_every_kind_of_response_passes",
    "tests/server/test_remote_proxy.py::test_no_response_is_a_bad_gateway",
    "tests/server/test_remote_proxy.py::test_only_a_request_that_may_be_repeated_is",
    "tests/server/test_self_calls.py::test_a_user_who_may_run_code_is_local_behind_any_proxy",
    "tests/server/test_self_calls.py::test_any_other_user_is_not_local",
    "tests/server/test_self_calls.py::test_guardrails_get_addresses_that_open_the_gateway_only",
    "tests/server/test_self_calls.py::test_the_assistant_gets_an_address_without_a_secret",
    "tests/glue/test_sqlite_files.py",
)


class ByServer(LoadFileScheduling):
    """Assigns the tests of a file, or of a folder in `SHARED`, to one xdist worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The file or folder whose tests run in one worker."""
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in SHARED else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    """Return the scheduler that assigns tests to workers."""
    return ByServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what depends on a release; put what takes longest first."""
    for each in RELEASE:
        assert (ROOT / each.partition("::")[0]).exists(), f"RELEASE names {each}"
    for item in items:
        function = item.nodeid.partition("[")[0]
        if function in RELEASE or function.partition("::")[0] in RELEASE:
            item.add_marker("release")
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(group_of(item.nodeid), len(order)))


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new store, for `lab_server` to copy where its creation is not tested."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    make_database(f"sqlite:///{path}", LATEST)
    return path


@pytest.fixture(scope="session", autouse=True)
def _shared_servers() -> Iterator[None]:
    """End the servers of support/server.py with the session."""
    yield
    pool.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab without configuration, with MLflow ready; tests share it and its store."""
    with lab_server(tmp_path_factory.mktemp("lab"), program="lab") as server:
        server.wait_until("ready")
        yield server


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """A function that starts a Jupyter server for one test, with the options of `lab_server`."""
    with ExitStack() as stack:

        def start(home: Path | None = None, **options: Any) -> Lab:
            server: AbstractContextManager[Lab] = lab_server(home or tmp_path, **options)
            return stack.enter_context(server)

        yield start
