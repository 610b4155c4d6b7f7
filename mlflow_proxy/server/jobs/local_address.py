"""Jupyter's address for the user's own processes, as this process and its jobs use it."""

import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass

from mlflow_proxy.shared.addresses import INPUT, LOCAL_CREDENTIAL, LOCAL_URL

TIMEOUT = 10.0  # seconds

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalAddress:
    """An address of MLflow that takes `credential` as a password."""

    url: str
    credential: str
    user = "jobs"
    """Any name does; it is only shown."""

    @classmethod
    def from_environment(cls) -> "LocalAddress | None":
        """Take it out of the environment; None if Jupyter has none."""
        url, credential = os.environ.pop(LOCAL_URL, ""), os.environ.pop(LOCAL_CREDENTIAL, "")
        return cls(url, credential) if url and credential else None

    @property
    def url_with_credential(self) -> str:
        """The address for clients that send no other credential."""
        scheme, rest = self.url.split("://", 1)
        return f"{scheme}://{self.user}:{self.credential}@{rest}"

    def report_use(self) -> None:
        """Let Jupyter, and with it a hub's idle culler, know that MLflow is used."""
        headers = {"Authorization": f"Bearer {self.credential}"}
        request = urllib.request.Request(f"{self.url}{INPUT}", b"", headers)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            opener.open(request, timeout=TIMEOUT).close()
        except OSError as error:  # Jupyter is busy, or ends
            _logger.debug("Jupyter does not know of the jobs that run: %s", error)
