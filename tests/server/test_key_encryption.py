"""The built-in passphrase is told of once, in place of MLflow's own warnings."""

from __future__ import annotations

import subprocess
import sys

USE = """
import logging
from mlflow_proxy.server import key_encryption
from mlflow.utils.crypto import KEKManager
logging.basicConfig(format="%(message)s")
key_encryption.warn_once(lambda message: print("WARNED", message))
KEKManager()
KEKManager()
KEKManager(passphrase="of one's own")
logging.getLogger(key_encryption.LOGGER).warning("another warning")
"""


def test_the_built_in_passphrase_is_told_of_once() -> None:
    command = [sys.executable, "-W", "ignore", "-c", USE]
    used = subprocess.run(command, check=True, capture_output=True, text=True)
    assert used.stdout.count("WARNED") == 1
    assert "MLFLOW_CRYPTO_KEK_PASSPHRASE" in used.stdout
    assert "not set" not in used.stderr
    assert "another warning" in used.stderr
