"""Memory and response time of a Jupyter server during a large transfer."""

from __future__ import annotations

import threading
import time

import psutil
import requests

from .lab import TOKEN, Lab

INTERVAL = 0.02  # seconds between samples


class Watch:
    """Samples the memory and the response time of a Jupyter server in other threads."""

    def __init__(self, url: str, token: str, pid: int) -> None:
        self._url = f"{url}/api/status"
        self._token = token
        self._process = psutil.Process(pid)
        self._before = self._most = self._process.memory_info().rss
        self._done = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._memory, self._answers)]
        self.seconds: list[float] = []
        """The response times."""

    def _memory(self) -> None:
        while not self._done.wait(INTERVAL):
            self._most = max(self._most, self._process.memory_info().rss)

    def _answers(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"token {self._token}"
            while not self._done.wait(INTERVAL):
                began = time.monotonic()
                session.get(self._url, timeout=30).raise_for_status()
                self.seconds.append(time.monotonic() - began)

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    @property
    def growth(self) -> int:
        """The peak growth of the memory in bytes."""
        return self._most - self._before


def watch_of(lab: Lab) -> Watch:
    """Watch `lab`."""
    return Watch(lab.url, TOKEN, lab.process.pid)
