"""Limits how long MLflow waits for an artifact store that speaks S3.

As boto ships, it waits a minute for a connection and another for an answer, three times: so long
would the dashboard show nothing. These limits hold for its every attempt. There are no variables
for them.
"""

import importlib.util

from .settings import StoreSettings

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 20  # seconds without a byte


def limit_waiting(settings: StoreSettings) -> None:
    """Set the limits if the artifacts are in S3 and boto is installed, which this imports."""
    roots = (settings.default_artifact_root, settings.served_artifacts)
    is_used = any(root.startswith("s3:") for root in roots)
    if not is_used or not importlib.util.find_spec("boto3"):
        return
    import boto3
    import botocore.config
    import botocore.session

    limits = botocore.config.Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT)
    session = botocore.session.get_session()
    session.set_default_client_config(limits)
    boto3.setup_default_session(botocore_session=session)
