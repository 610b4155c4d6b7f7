"""The cells and commands of docs/tutorial.md."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .lab import Lab
from .processes import free_ports, running
from .waiting import wait_for

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
PORT = "5001"  # on the page
ANSWER = re.compile(r"`(\{'predictions': [^`]*\})`")


class Tutorial:
    """The page, with a free port in place of its own."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self.text = TUTORIAL.read_text().replace(PORT, str(self.port))

    @property
    def cells(self) -> list[str]:
        """The cells, of which the last asks the served model."""
        return re.findall(r"^```python\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    @property
    def answer(self) -> str:
        """What the page says that the last cell shows."""
        (answer,) = ANSWER.findall(self.text)
        return str(answer)

    @contextmanager
    def serving(self, lab: Lab) -> Iterator[None]:
        """Run the page's command in the environment of a terminal of `lab`."""
        (command,) = re.findall(r"^mlflow models serve .*", self.text, re.MULTILINE)
        options: dict[str, Any] = {
            "cwd": lab.root,
            "env": lab.kernel_variables(),
            "log": lab.home / "serve.log",
        }
        with running(shlex.split(command), **options) as process:
            wait_for(lambda: self._is_listening() or process.poll() is not None, 120)
            assert process.poll() is None, options["log"].read_text()
            yield

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
