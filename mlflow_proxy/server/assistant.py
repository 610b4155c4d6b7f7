"""What is private to MLflow about its Assistant.

With a model of the AI Gateway, the Assistant is a client of its own server, without a credential.

Source: mlflow/assistant/providers/mlflow_gateway.py, from MLflow 3.11. Earlier releases drive
Claude Code only, which uses the credentials of MLflow's client.
"""

from .local_address import LocalAddress


def install(address: LocalAddress) -> None:
    """Have the Assistant send the credential for the gateway at `address`."""
    try:
        from mlflow.assistant.providers.mlflow_gateway import MlflowGatewayProvider
    except ImportError:
        return
    headers_of_mlflow = MlflowGatewayProvider._auth_headers
    authorization = {"Authorization": f"Bearer {address.gateway_credential}"}

    def auth_headers(self: MlflowGatewayProvider, api_key: str | None) -> dict[str, str]:
        return {**headers_of_mlflow(self, api_key), **authorization}

    MlflowGatewayProvider._auth_headers = auth_headers
