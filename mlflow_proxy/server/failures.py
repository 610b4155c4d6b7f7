"""Known failures: messages of MLflow, SQLAlchemy, a driver or the system, and their remedies.

The table here is about the start and the store; artifacts and tracking servers have their own.
"""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_proxy.printable import quoted, quoted_argument
from mlflow_proxy.reports import Failure, Offer
from mlflow_proxy.stores import DEFAULT_NAME

COMMAND = "\n    "
"""Before a command in a remedy: on a line of its own, indented, the page shows it as a command."""


class StartError(Exception):
    """A start that fails for a known reason: what happened and what to do, a sentence each."""

    def __init__(self, reason: str, remedy: str, offer: Offer | None = None) -> None:
        super().__init__(f"{reason} {remedy}")
        self.failure = Failure(reason, remedy, offer)


@dataclass(frozen=True)
class Known:
    """A known failure: the pattern of its message, and what a person reads in place of that.

    The sentences may use the pattern's named groups, which are quoted, the values that `match` is
    given, `{python}` for a command line and, for a group `module`, the `{package}` to install.
    """

    pattern: str
    """Regular expression; `.` matches a newline, too."""
    reason: str
    remedy: str
    status: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    """Status of an answer to a request."""


def match(table: Iterable[Known], texts: Iterable[str], values: Mapping[str, str]) -> Known | None:
    """The first failure in `table` whose pattern is in one of `texts`, its sentences completed."""
    for known, text in itertools.product(table, texts):
        if found := re.search(known.pattern, text, re.DOTALL):
            groups = found.groupdict()
            module = groups.get("module", "")
            package = quoted_argument(PACKAGES.get(module, module))
            named = {"python": quoted_argument(sys.executable), "package": package, **values}
            named.update((name, quoted(value)) for name, value in groups.items() if value)
            reason, remedy = known.reason.format(**named), known.remedy.format(**named)
            return replace(known, reason=reason, remedy=remedy)
    return None


# Packages of drivers whose module has another name.
PACKAGES = {
    "azure": "azure-storage-blob",
    "google": "google-cloud-storage",
    "mysql": "mysql-connector-python",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "PyMySQL",
}
INSTALL = f"Run:{COMMAND}{{python}} -m pip install"
THE_URI = (
    "the store's URI (c.MLflowProxy.{setting}, or the variable that it comes from), "
    "and restart Jupyter."
)
CORRECT = f"Correct {THE_URI}"
FREE = "Free some space, then try again."

FAILURES = (
    # MLflow's installation
    Known(  # its package mysqlclient is compiled, which needs MySQL's own headers
        r"No module named 'MySQLdb",
        "The Python module MySQLdb is missing, which SQLAlchemy takes for mysql://.",
        f"{INSTALL} PyMySQL\nThen write mysql+pymysql:// in place of mysql:// in {THE_URI}",
    ),
    Known(
        r"No module named '(?P<module>\w+)",
        "The Python package {package} is missing: the module {module} cannot be imported.",
        f"{INSTALL} {{package}}",
    ),
    # The store's URI
    Known(
        r"Can't load plugin: sqlalchemy\.dialects:|Invalid database URI|invalid literal for int\(\)"
        r"|Could not parse (?:rfc1738|SQLAlchemy) URL",
        "The store's URI {store} cannot be read, or names an unknown database or driver.",
        # Without these characters: passwords are masked up to the last at sign in a text.
        f"{CORRECT} Special characters in a password are written as %40 for an at sign, %2F for a "
        "slash and so on.",
    ),
    # The database server
    Known(
        r"password authentication failed|Access denied for user|no password supplied"
        r"|Login failed for user|role \"[^\"]*\" does not exist",
        "The database refuses the user or the password of {store}.",
        CORRECT,
    ),
    Known(
        r"database \"(?P<name>[^\"]*)\" does not exist|Unknown database '(?P<name2>[^']*)'",
        "The database does not exist: {store}.",
        f"Create it (createdb, CREATE DATABASE), or correct {THE_URI}",
    ),
    Known(
        r"Connection refused|No route to host|Network is unreachable|Name or service not known"
        r"|could not translate host name|(?i:timed out|timeout)|Can't connect to|Connection reset"
        r"|Temporary failure in name resolution|server closed the connection|starting up"
        r"|connection to server on socket|received invalid response|nodename nor servname",
        "The database of {store} cannot be reached.",
        f"Check that it is running and reachable from this machine, or correct {THE_URI}",
    ),
    # The database file
    Known(
        r"(?P<said>[\w.-]+ is not a (?:regular file|plain table))",
        "The database {store} is not as MLflow makes it: {said}.",
        f"Move it away, or correct {THE_URI}",
    ),
    Known(
        r"OperationalError: \D*interrupted",
        "It takes too long to read the database {store}: it is damaged, or MLflow has not made it.",
        f"Move it away, or correct {THE_URI}",
    ),
    Known(
        r"file is not a database|file is encrypted",
        "The file of {store} is not a SQLite database.",
        f"Move the file away, or correct {THE_URI}",
    ),
    Known(
        r"disk image is malformed|malformed database schema",
        "The database {store} is damaged.",
        f"Put a copy of it in its place, or save what can be read of it:{COMMAND}"
        # Debian's SQLite has no `.recover`. A dump of a damaged file ends with a rollback.
        "sqlite3 {quoted_store} .dump | sed '$s/^ROLLBACK.*/COMMIT;/' | "
        "sqlite3 {quoted_store}.saved",
    ),
    Known(
        r"database is locked",
        "Another program keeps the database {store} locked.",
        "Wait until that program is done, or end it; then try again.",
    ),
    Known(
        r"No space left on device|database or disk is full|[Dd]isk quota exceeded",
        "The disk of {store} is full.",
        FREE,
    ),
    Known(
        r"readonly database|unable to open database file|Permission denied|Read-only file system",
        "The store {store} cannot be written to.",
        "Grant this user write access. Or choose another place with c.MLflowProxy.{setting}, and "
        "restart Jupyter.",
    ),
    # The store's age
    Known(
        r"Can't locate revision identified by '(?P<revision>\w+)'",
        "The database of {store} (revision {revision}) is of a newer MLflow than this one.",
        f"{INSTALL} --upgrade mlflow",
    ),
    Known(  # MLflow >=3.13
        r"MLFLOW_ALLOW_FILE_STORE|filesystem tracking backend",
        "This release of MLflow refuses file stores such as {store}.",
        f"Run this, which leaves it as it is:{COMMAND}{{migration}}\n"
        "If c.MLflowProxy.{setting} names the file store, let it name that database. Or, to use "
        "the file store, set MLFLOW_ALLOW_FILE_STORE=true in Jupyter's environment. Restart "
        "Jupyter after either.",
    ),
)


def explain(error: BaseException, store: str, setting: str = "backend_store_uri") -> StartError:
    """Explain `error`, which occurred with `store`; an unknown error keeps its own message.

    `store` is shown and must not hold a password.
    """
    values = {
        "store": quoted(store),
        "quoted_store": quoted_argument(store),
        "migration": _migration(store),
        "setting": setting,
    }
    for each in chain(error):
        if known := match(FAILURES, [f"{type(each).__name__}: {each}"], values):
            return StartError(known.reason, known.remedy)
    # Unknown: its message was written for people, and the log has the rest.
    return StartError(quoted(first_line(error)), "The last lines of the log, below, say more.")


def first_line(error: object) -> str:
    """The first line of what `error` says; its type if it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _migration(store: str) -> str:
    """The command that copies the file store `store` into a new database beside it."""
    folder = Path(unquote(urlsplit(store).path))
    target = f"sqlite:///{folder.parent / DEFAULT_NAME}"
    words = (sys.executable, "-m", "mlflow", "migrate-filestore")
    return " ".join(map(quoted_argument, (*words, f"--source={folder}", f"--target={target}")))


def chain(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__
