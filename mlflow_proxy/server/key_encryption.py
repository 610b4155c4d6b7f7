"""Tells once that stored keys are encrypted with a passphrase that is not secret.

MLflow logs it with each use of a stored key, in a log that few read.

Source: `KEKManager` in mlflow/utils/crypto.py.
"""

import logging
from collections.abc import Callable

LOGGER = "mlflow.utils.crypto"
BEGINNING = "MLFLOW_CRYPTO_KEK_PASSPHRASE not set"
MESSAGE = (
    "The keys that are stored in MLflow are encrypted with MLflow's built-in passphrase: each "
    "user who reads the database can decrypt them. In a store that others can read, set "
    "MLFLOW_CRYPTO_KEK_PASSPHRASE in Jupyter's environment before keys are stored. For keys that "
    "are there already, see TROUBLESHOOTING."
)


def warn_once(warn: Callable[[str], None]) -> None:
    """Call `warn` with the first use of a stored key, in place of MLflow's own warnings."""
    logging.getLogger(LOGGER).addFilter(_Once(warn))


class _Once(logging.Filter):
    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__()
        self._warn = warn
        self._has_warned = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is another one than MLflow's warning."""
        if not record.getMessage().startswith(BEGINNING):
            return True
        if not self._has_warned:
            self._has_warned = True
            self._warn(MESSAGE)
        return False
