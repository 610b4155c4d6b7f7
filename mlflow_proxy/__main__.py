"""`python -m mlflow_proxy …`: the supervisor, as jupyter-server-proxy starts it."""

import os
import sys

# `-m` puts the working folder, which holds a user's notebooks, at the front of the path. A
# `socket.py` in it must not shadow Python's.
if sys.path[0] in ("", os.getcwd()):
    del sys.path[0]
# asyncio works without ssl, as it does where Python was built without it. The supervisor uses a
# unix socket only, and ssl would be a quarter of its memory.
sys.modules["ssl"] = None  # type: ignore[assignment]

from mlflow_proxy.supervisor.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
