"""Never gets ready."""

import threading

import common  # noqa: F401 (reports the first stage)

threading.Event().wait()
