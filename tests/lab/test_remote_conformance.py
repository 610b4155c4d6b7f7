"""A tracking server elsewhere answers through the tile byte for byte as it does without it.

A path that may leave the server's address is refused here already, with the same status.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus

import pytest

from mlflow_proxy.server.remote.boundary import leaves
from support.conformance import FAMILIES, align_experiments, plain_server, run_client
from support.lab import lab_server
from support.transcript import Transcripts


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Transcripts, Transcripts]]:
    """The transcripts of an `mlflow server`, and of another one through a Lab."""
    home = tmp_path_factory.mktemp("conformance")
    with ExitStack() as stack:
        plain = stack.enter_context(plain_server(home / "plain"))
        remote = stack.enter_context(plain_server(home / "remote"))
        variables = {"MLFLOW_TRACKING_URI": remote}
        lab = stack.enter_context(lab_server(home / "lab", env=variables))
        lab.wait_until("ready")
        align_experiments(lab, plain)
        with ThreadPoolExecutor() as threads:
            straight, through_tile = threads.map(
                run_client,
                (plain, lab.mlflow_url),
                (home / "to-plain", home / "to-tile"),
                (home / "plain" / "artifacts", home / "remote" / "artifacts"),
            )
        yield straight, through_tile


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tile_answers_as_the_server_does(
    both: tuple[Transcripts, Transcripts], family: str
) -> None:
    straight, through_tile = both
    assert straight[family]
    for expected, exchange in zip(straight[family], through_tile[family], strict=True):
        if leaves(exchange["path"].partition("?")[0]):
            assert exchange["status"] == expected["status"] == HTTPStatus.BAD_REQUEST
        else:
            assert exchange == expected
