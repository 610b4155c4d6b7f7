"""Is never ready."""

import threading

import common  # noqa: F401 (reports the stages before)

threading.Event().wait()
