"""A real PostgreSQL server on a loopback port, with a password."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .processes import free_ports, running
from .waiting import wait_for

DEBIAN = Path("/usr/lib/postgresql")
USER, PASSWORD = "mlflow", "hunter2/%"  # the password has characters that a URI must quote


# PostgreSQL refuses to run as root.
OPTIONS: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}


class Postgres:
    """A server."""

    def __init__(self, programs: Path, home: Path, port: int) -> None:
        self._programs = programs
        self._home = home
        self.port = port

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it; it can be run again later."""
        home, port = self._home, str(self.port)
        command = [str(self._programs / "postgres"), "-D", str(home / "data"), "-p", port, "-F"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        with running(command, cwd=home, env=os.environ, log=home / "log", **OPTIONS):
            wait_for(self.is_up, 30, "PostgreSQL did not start")
            try:
                yield
            finally:  # without waiting for its clients
                stop = [self._programs / "pg_ctl", "stop", "-D", home / "data", "-m", "fast"]
                subprocess.run(stop, cwd=home, stdout=subprocess.DEVNULL, check=True, **OPTIONS)

    def uri(self, database: str, password: str = "hunter2%2F%25") -> str:
        """The store URI of `database`."""
        return f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's programs on this server; returns its stdout."""
        return subprocess.run(
            [
                str(self._programs / program),
                "-h127.0.0.1",
                f"-p{self.port}",
                f"-U{USER}",
                *arguments,
            ],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def query(self, database: str, sql: str) -> str:
        """The result of `sql` in `database`."""
        return self.run("psql", "-d", database, "-Atc", sql)

    def connections(self, database: str) -> int:
        """The connections to `database` that are open."""
        held = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
        return int(self.query("postgres", held))

    def is_up(self) -> bool:
        """Whether it accepts connections."""
        try:
            return self.query("postgres", "SELECT 1") == "1"
        except subprocess.CalledProcessError:
            return False


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Run PostgreSQL in a temporary folder."""
    with postgres_cluster() as server, server.running():
        yield server


@contextmanager
def postgres_cluster() -> Iterator[Postgres]:
    """A server in a temporary folder that is not running yet."""
    programs = max(DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "password").write_text(PASSWORD)
        if OPTIONS:
            for path in (home, home / "password"):
                shutil.chown(path, **OPTIONS)
        initdb = [programs / "initdb", "-D", home / "data", "-U", USER, "-A", "scram-sha-256"]
        initdb += ["--pwfile", home / "password", "--no-sync", "-E", "UTF8", "--no-locale"]
        subprocess.run(initdb, cwd=home, stdout=subprocess.DEVNULL, check=True, **OPTIONS)
        yield Postgres(programs, home, free_ports(1)[0])
