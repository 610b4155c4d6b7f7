"""What the reverse proxy needs of the interpreter's packages, which MLflow need not bring.

MLflow 3.10 does not depend on aiohttp, and later ones take an older one than this needs.
"""

import importlib.util
import re
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version

from mlflow_proxy.server.errors import COMMAND, StartError

MODULES = ("aiohttp", "certifi", "starlette", "uvicorn")
OLDEST_AIOHTTP = (3, 12)


def check() -> None:
    """Check that the packages can be imported.

    Raises:
        StartError: one of them is missing or too old.
    """
    needed = [name for name in MODULES if importlib.util.find_spec(name) is None]
    what = f"{' and '.join(needed)}, which showing a tracking server needs"
    if not needed and (release := _aiohttp()) < OLDEST_AIOHTTP:
        needed = [f"aiohttp>={'.'.join(map(str, OLDEST_AIOHTTP))}"]
        what = f"a newer aiohttp than {'.'.join(map(str, release))}"
    if needed:
        raise StartError(
            f"{sys.executable} (c.MLflowProxy.python) lacks {what}.",
            f"Run:{COMMAND}{shlex.join([sys.executable, '-m', 'pip', 'install', *needed])}",
        )


def _aiohttp() -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in re.findall(r"\d+", version("aiohttp"))[:2])
    except PackageNotFoundError:
        return OLDEST_AIOHTTP
