"""`python -m mlflow_proxy …`: the supervisor, as jupyter-server-proxy starts it."""

import os
import sys

# `-m` puts the working folder, a user's notebooks, at the front of the path: a `socket.py` in it
# must not stand in for Python's.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]
# asyncio does without ssl where Python was built without it. The supervisor speaks on a unix socket
# only, and ssl would be a quarter of its memory.
sys.modules["ssl"] = None  # type: ignore[assignment]

from mlflow_proxy.supervisor.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
