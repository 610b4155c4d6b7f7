"""The address under which MLflow, and what it starts, reaches this MLflow: through Jupyter."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import mlflow_proxy
from mlflow_proxy import addresses
from mlflow_proxy.addresses import AUTH_PROVIDER, LOCAL_CREDENTIAL, LOCAL_URL, gateway_credential
from mlflow_proxy.notebook import credential
from mlflow_proxy.stores import SERVED_ARTIFACTS

USER = "mlflow"  # any name does; it is only shown


@dataclass(frozen=True)
class OwnAddress:
    """Jupyter's address for the user's own processes, which takes `credential` as a password."""

    url: str
    credential: str

    @classmethod
    def from_environment(cls) -> "OwnAddress | None":
        """Take it out of the environment; None if Jupyter has none."""
        url, credential = os.environ.pop(LOCAL_URL, ""), os.environ.pop(LOCAL_CREDENTIAL, "")
        return cls(url, credential) if url and credential else None

    @property
    def authority(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def gateway_credential(self) -> str:
        """The credential that opens the models of the AI Gateway only."""
        return gateway_credential(self.credential)

    def export(self, artifact_root: str, folder: Path) -> None:
        """Tell processes that inherit this environment (jobs, the Assistant) how to reach MLflow.

        Jobs open the store themselves, and ask MLflow for models of its gateway and for artifacts
        that only the server can reach. Call this before MLflow is imported; `folder` is private.
        """
        # The client would send these in place of the credential for the address.
        for name in (*addresses.CREDENTIALS, addresses.PASSWORD):
            os.environ.pop(name, None)
        # MLflow's client would send a token or a password to every host that a location names.
        os.environ.update({LOCAL_URL: self.url, LOCAL_CREDENTIAL: self.credential})
        os.environ[addresses.AUTH] = AUTH_PROVIDER
        _provide(folder)
        if not os.environ.get("MLFLOW_GATEWAY_URI"):  # its clients send no credential
            os.environ["MLFLOW_GATEWAY_URI"] = f"http://{self.authority}/{self.gateway_credential}"
        if artifact_root.startswith(SERVED_ARTIFACTS):
            os.environ["MLFLOW_TRACKING_URI"] = self.url


def _provide(folder: Path) -> None:
    """Have MLflow, here and in jobs, know the provider where this package is not installed."""
    distribution = folder / "mlflow_proxy_provider-0.dist-info"
    distribution.mkdir(parents=True, exist_ok=True)
    (distribution / "METADATA").write_text("Name: mlflow-proxy-provider\nVersion: 0\n")
    (distribution / "entry_points.txt").write_text(
        f"[mlflow.request_auth_provider]\n{AUTH_PROVIDER} = {credential.__name__}:OwnAddress\n"
    )
    with contextlib.suppress(FileExistsError):
        (folder / "mlflow_proxy").symlink_to(mlflow_proxy.__path__[0])
    sys.path.append(str(folder))
    paths = (os.environ.get("PYTHONPATH"), str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
