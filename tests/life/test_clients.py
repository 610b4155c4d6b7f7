"""Clients that log while MLflow is stopped, restarted, idle and killed lose nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.server import Server, server_of
from support.waiting import wait_for

CLIENTS = 4
ROUNDS = 3
ANSWERED, BROKEN_OFF, STARTING = 200, 502, 503


class Clients:
    """Clients that log numbers one after the other, each until it is acknowledged."""

    def __init__(self, jupyter: Server) -> None:
        self._jupyter = jupyter
        self.may_log = threading.Event()
        self.has_ended = False
        self.answers: Counter[int] = Counter()
        self.acknowledged: list[str] = []

    def log(self, client: int) -> None:
        """Log as the client with this number, until the end."""
        number = 0
        while not self.has_ended:
            self.may_log.wait()
            line = f"{client}-{number}"
            status, _, _ = self._jupyter.request("/log", "POST", body=f"{line}\n")
            self.answers[status] += 1
            if status == ANSWERED:
                self.acknowledged.append(line)
                number += 1

    def log_some(self) -> None:
        """Wait until more was acknowledged."""
        enough = len(self.acknowledged) + 5 * CLIENTS
        wait_for(lambda: len(self.acknowledged) >= enough, 60)


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    with (
        server_of("uvicorn_app", tmp_path, idle_timeout=0.3) as jupyter,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        clients = Clients(jupyter)
        clients.may_log.set()
        logging = [pool.submit(clients.log, number) for number in range(CLIENTS)]
        try:
            for _ in range(ROUNDS):
                for act in (jupyter.stop, jupyter.restart):
                    clients.log_some()
                    act()
                clients.log_some()
                clients.may_log.clear()
                jupyter.wait_until("idle")
                clients.may_log.set()
            clients.log_some()
            assert set(clients.answers) == {ANSWERED}
            for _ in range(ROUNDS):
                jupyter.child.kill()
                clients.log_some()
                jupyter.restart()  # so that these are no crashes in a row
                time.sleep(0.1)
        finally:
            clients.has_ended = True
            clients.may_log.set()
        for each in logging:
            each.result()
        assert set(clients.answers) <= {ANSWERED, BROKEN_OFF, STARTING}
        assert jupyter.log.read_text().count("Started MLflow") > 3 * ROUNDS
    logged = (tmp_path / "logged").read_text().splitlines()
    assert set(clients.acknowledged) <= set(logged)
    assert len(clients.acknowledged) == len(set(clients.acknowledged))
