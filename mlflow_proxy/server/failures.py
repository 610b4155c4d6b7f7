"""Known failures: messages of MLflow, SQLAlchemy, a driver or the system, and their remedies."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow_proxy.stores import ALLOW_FILE_STORE, SQLite, migration_command

from .errors import COMMAND, StartError

# Packages of drivers whose module has another name.
PACKAGES = {
    "azure": "azure-storage-blob",
    "google": "google-cloud-storage",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "PyMySQL",
}
INSTALL = f"Run:{COMMAND}{{python}} -m pip install"
THE_URI = "the store's URI (c.MLflowProxy.{setting}, or the variable that it comes from)."
CORRECT = f"Correct {THE_URI}"
FREE = "Free some space, then try again."
PERMIT = "Let this user write there, or choose another place with c.MLflowProxy.{setting}."

# Pattern, reason, remedy. The first pattern that matches counts. The sentences may use the
# pattern's groups and the values of `_values`.
FAILURES = (
    # MLflow's installation
    (
        r"FallbackAsyncAdaptedQueuePool",
        "This release of MLflow does not work with SQLAlchemy 2.1.",
        f'{INSTALL} "sqlalchemy<2.1"\nOr install a newer MLflow.',
    ),
    (
        r"No module named '(?P<module>\w+)",
        "The Python package {package} is missing: the module {module} cannot be imported.",
        f"{INSTALL} {{quoted_package}}",
    ),
    (
        r"ImportError: (?P<said>[^\n]+)",
        "MLflow's installation is damaged: {said}.",
        f"{INSTALL} --upgrade --force-reinstall mlflow",
    ),
    # The store's URI
    (
        r"unsupported URI '[^\n]*' for .* Supported URI schemes are: "
        r"\[(?:'', )?(?P<schemes>[^\]]*)\]",
        "MLflow has no store of the kind that {store} names; it knows {schemes}.",
        CORRECT,
    ),
    (
        r"Can't load plugin: sqlalchemy\.dialects:(?P<dialect>\S+)|Invalid database URI",
        "The store's URI {store} names no database and driver that are known.",
        CORRECT,
    ),
    (
        r"Could not parse (?:rfc1738|SQLAlchemy) URL|invalid literal for int\(\)",
        "The store's URI {store} cannot be read.",
        f"{CORRECT} Special characters in a password are written as %40 for @, %2F for / and so on",
    ),
    # The database server
    (
        r"password authentication failed|Access denied for user|no password supplied"
        r"|Login failed for user|role \"[^\"]*\" does not exist",
        "The database refuses the user or the password of {store}.",
        CORRECT,
    ),
    (
        r"database \"(?P<name>[^\"]*)\" does not exist|Unknown database '(?P<name2>[^']*)'",
        "There is no such database: {store}.",
        f"Create it (createdb, CREATE DATABASE), or correct {THE_URI}",
    ),
    (
        r"no pg_hba\.conf entry|permission denied for|must be owner of|command denied to user",
        "The database does not give the user of {store} the rights that MLflow needs.",
        "Ask its administrator for all rights on that database, schema and tables included.",
    ),
    (
        r"too many connections|remaining connection slots|sorry, too many clients",
        "The database of {store} takes no more connections.",
        "Try again a little later, or ask its administrator to raise the limit.",
    ),
    (
        r"Connection refused|No route to host|Network is unreachable|Name or service not known"
        r"|could not translate host name|(?i:timed out|timeout)|Can't connect to|Connection reset"
        r"|Temporary failure in name resolution|server closed the connection|starting up"
        r"|connection to server on socket|received invalid response|nodename nor servname",
        "The database of {store} cannot be reached.",
        f"See that it runs and that this machine can reach it, or correct {THE_URI}",
    ),
    # The database file
    (
        r"file is not a database|file is encrypted",
        "The file of {store} is not a SQLite database.",
        f"Move the file away, or correct {THE_URI}",
    ),
    (
        r"disk image is malformed|malformed database schema",
        "The database {store} is damaged.",
        f"Put a copy of it in its place, or save what can be read of it:{COMMAND}"
        "sqlite3 {quoted_store} .recover | sqlite3 {quoted_store}.saved",
    ),
    (
        r"database is locked",
        "Another program keeps the database {store} locked.",
        "Wait until that program is done, or end it; then try again.",
    ),
    (
        r"No space left on device|database or disk is full|[Dd]isk quota exceeded",
        "The disk of {store} is full.",
        FREE,
    ),
    (
        r"readonly database|unable to open database file|Permission denied|Read-only file system",
        "The store {store} cannot be written to.",
        PERMIT,
    ),
    (r"disk I/O error|Input/output error", "The disk of {store} fails or is full.", FREE),
    # The store's age
    (
        r"Can't locate revision identified by '(?P<revision>\w+)'",
        "The database of {store} (revision {revision}) is of a newer MLflow than this one.",
        f"{INSTALL} --upgrade mlflow",
    ),
    (
        r"out-of-date database schema \(found version (?P<found>\w+)",
        "The database of {store} (revision {found}) is of another release of MLflow.",
        "Try again: this page then offers to upgrade it.",
    ),
    (
        r"MLFLOW_ALLOW_FILE_STORE|filesystem tracking backend",
        "This release of MLflow refuses file stores such as {store}.",
        f"Run:{COMMAND}{{migration}}\n"
        "Then make that database the store with c.MLflowProxy.{setting}; "
        f"or set {ALLOW_FILE_STORE}=true in Jupyter's environment.",
    ),
    # The machine
    (
        r"MemoryError|Cannot allocate memory",
        "There is not enough memory for MLflow.",
        "Shut down kernels that are not needed, then try again.",
    ),
)


def explain(error: BaseException, store: str, setting: str = "backend_store_uri") -> StartError:
    """Explain `error`, which occurred with `store`; an unknown error keeps its own message.

    `store` is shown as it is and must not hold a password.
    """
    for each in chain(error):
        said = f"{type(each).__name__}: {each}"
        for pattern, reason, remedy in FAILURES:
            if match := re.search(pattern, said):
                values = {
                    **_values(store, match.groupdict().get("module", "")),
                    **match.groupdict(),
                }
                values["setting"] = setting
                return StartError(reason.format(**values), remedy.format(**values))
    # Unknown: its message was written for people, and the log has the rest.
    first_line = str(error).strip().partition("\n")[0] or type(error).__name__
    return StartError(first_line, "The last lines of the log, below, say more.")


def _values(store: str, module: str) -> dict[str, str]:
    folder = Path(unquote(urlsplit(store).path))  # of a file store
    package = package_of(module)
    return {
        "python": shlex.quote(sys.executable),
        "package": package,
        "quoted_package": shlex.quote(package),
        "store": store,
        "quoted_store": shlex.quote(store),
        "migration": migration_command(sys.executable, folder, SQLite.default(folder.parent)),
    }


def package_of(module: str) -> str:
    """The package that has the driver `module`."""
    return PACKAGES.get(module, module)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Iterate over `error` and its causes."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__
