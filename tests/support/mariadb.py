"""A real MariaDB server on a loopback port, with a password: MLflow's `mysql`."""

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

SERVER = Path("/usr/sbin/mariadbd")
USER, PASSWORD = "mlflow", "hunter2/%"  # the password has characters that a URI must quote
# The character set is that of MySQL 8 and of Debian's MariaDB; MLflow 3.18 needs it.
INITIAL = f"""\
CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON *.* TO '{USER}'@'%';
CREATE DATABASE IF NOT EXISTS team CHARACTER SET utf8mb4;
"""
# A data folder that is lost with the test needs no flushes.
FAST = (
    "--innodb-flush-method=nosync",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
)
OPTIONS: dict[str, Any] = {"user": "mysql", "group": "mysql"} if os.getuid() == 0 else {}


class MariaDB:
    """A server, with the database `team`."""

    def __init__(self, home: Path, port: int) -> None:
        self._home = home
        self.port = port

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it; it can be run again later."""
        home = self._home
        command = [str(SERVER), "--no-defaults", f"--datadir={home}/data", f"--port={self.port}"]
        command += ["--bind-address=127.0.0.1", f"--socket={home}/socket", *FAST]
        command += [f"--init-file={home}/initial.sql", f"--pid-file={home}/pid"]
        env = {**os.environ, "TMPDIR": str(home)}
        with running(command, cwd=home, env=env, log=home / "log", **OPTIONS):
            wait_for(self.is_up, 30, "MariaDB did not start")
            yield

    def uri(self, database: str, password: str = "hunter2%2F%25") -> str:
        """The store URI of `database`."""
        return f"mysql+pymysql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def query(self, database: str, sql: str) -> str:
        """The result of `sql` in `database`."""
        command = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port}", f"-u{USER}", "-NB"]
        return subprocess.run(
            [*command, f"-p{PASSWORD}", database, "-e", sql],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def connections(self, database: str) -> int:
        """The connections to `database` that are open."""
        held = f"SELECT count(*) FROM information_schema.processlist WHERE db = '{database}'"
        return int(self.query("information_schema", held))

    def is_up(self) -> bool:
        """Whether it accepts connections."""
        try:
            return self.query("team", "SELECT 1") == "1"
        except subprocess.CalledProcessError:
            return False


@contextmanager
def mariadb_cluster() -> Iterator[MariaDB]:
    """A server in a temporary folder that is not running yet."""
    # In memory, because a schema takes hundreds of slow changes.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        home = Path(folder)
        (home / "initial.sql").write_text(INITIAL)
        if OPTIONS:
            for path in (home, home / "initial.sql"):
                shutil.chown(path, **OPTIONS)
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={home}/data"]
        install += ["--skip-test-db", "--auth-root-authentication-method=normal", *FAST]
        env = {**os.environ, "TMPDIR": folder}  # that of the tests may be closed to its user
        subprocess.run(install, cwd=home, env=env, stdout=subprocess.DEVNULL, check=True, **OPTIONS)
        yield MariaDB(home, free_ports(1)[0])
