"""Ask MLflow for artifacts in S3 with good and bad settings, in one process.

    python ask_for_artifacts.py FOLDER ENDPOINT BUCKET

Prints a line of JSON for each answer: the case, what was asked, status, text and seconds. Then it
does what the answer says, and asks again: the case is then "…, corrected".
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time

import boto3
import requests
from starlette.testclient import TestClient

from mlflow_proxy.headers import LOCAL_ORIGIN
from mlflow_proxy.server import mlflow_app
from mlflow_proxy.server.middleware.artifact_failures import ArtifactRemedies
from mlflow_proxy.server.store.settings import StoreSettings

folder, endpoint, bucket = sys.argv[1:]
mlflow_app.S3_CONNECT_TIMEOUT = mlflow_app.S3_READ_TIMEOUT = 0.3
VARIABLE = re.compile(r"\b(?:AWS|MLFLOW_S3)_\w+")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
EVERYTHING = """{"Version": "2012-10-17",
"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"""
good_values = {name: os.environ[name] for name in (*KEYS, "MLFLOW_S3_ENDPOINT_URL")}
silent = socket.create_server(("127.0.0.1", 0))
settings = StoreSettings.parse(*2 * [f"sqlite:///{folder}/mlflow.db"], f"s3://{bucket}/x")
mlflow_app.configure(settings)
app = ArtifactRemedies(mlflow_app.load())
mlflow_app.open_stores(settings, print)
client = TestClient(app, base_url=LOCAL_ORIGIN, raise_server_exceptions=False)


def run_in(root: str) -> str:
    """Create a run of a new experiment with artifacts in `root`; returns its id."""
    body = {"name": root, "artifact_location": root}
    answer = client.post("/api/2.0/mlflow/experiments/create", json=body)
    answer = client.post("/api/2.0/mlflow/runs/create", json=answer.json())
    return answer.json()["run"]["info"]["run_id"]


def user(name: str) -> dict[str, str]:
    """Create a user of the S3 server; returns its keys."""
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return dict(zip(KEYS, (key["AccessKeyId"], key["SecretAccessKey"]), strict=True))


def ask(case: str, run: str) -> str:
    """Print the answers to the dashboard, to a download and to a client that uploads.

    Returns the text of the first.
    """
    texts = []
    asked = {
        "list": ("GET", f"/ajax-api/2.0/mlflow/artifacts/list?run_id={run}"),
        "download": ("GET", f"/get-artifact?run_id={run}&path=a.txt"),
        "upload": ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/a.txt"),
    }
    for name, (method, path) in asked.items():
        began = time.monotonic()
        answer = client.request(method, path, content=b"hello" if method == "PUT" else None)
        seconds = round(time.monotonic() - began, 1)
        print(json.dumps([case, name, answer.status_code, answer.text, seconds]), flush=True)
        texts.append(answer.text)
    return texts[0]


def correct(case: str, told: str) -> None:
    """Set the variables that are `told` to what is right, as for a new process, and ask again."""
    names = {*VARIABLE.findall(told)} & good_values.keys()
    os.environ.update({name: good_values[name] for name in names})
    mlflow_app.limit_waiting_for_s3(settings)  # a session with other keys
    ask(f"{case}, corrected", good)


good = run_in(f"s3://{bucket}/good")
ask("good", good)
lost = run_in("s3://no-such-bucket/x")
assert "Create the bucket" in ask("no bucket", lost)
requests.put(f"{endpoint}/no-such-bucket", timeout=5)
ask("no bucket, corrected", lost)
ENDPOINTS = {
    "refused connection": "http://127.0.0.1:1",
    "unknown": "http://no-such-host.invalid",
    "silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
    "misspelt": "me:hunter2@127.0.0.1:9000",
    "tls": endpoint.replace("http:", "https:"),
}
for case, url in ENDPOINTS.items():
    os.environ["MLFLOW_S3_ENDPOINT_URL"] = url
    correct(case, ask(case, good))

iam = boto3.client("iam", endpoint_url=endpoint)
of_admin, of_user = user("admin"), user("me")
iam.put_user_policy(UserName="admin", PolicyName="all", PolicyDocument=EVERYTHING)
os.environ["MLFLOW_S3_ENDPOINT_URL"] = f"{endpoint}/"  # another one for MLflow's cache of clients
requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=5)  # check keys from now on
told = ask("refused key", good)
good_values.update(of_admin)
os.environ["MLFLOW_S3_ENDPOINT_URL"] = f"{endpoint}//"
correct("refused key", told)

os.environ["MLFLOW_S3_ENDPOINT_URL"] = f"{endpoint}///"
for name in KEYS:
    del os.environ[name]
mlflow_app.limit_waiting_for_s3(settings)  # a session without them
told = ask("no credentials", good)
os.environ["MLFLOW_S3_ENDPOINT_URL"] = f"{endpoint}////"
correct("no credentials", told)

os.environ.update(of_user, MLFLOW_S3_ENDPOINT_URL=f"{endpoint}/////")
mlflow_app.limit_waiting_for_s3(settings)
assert "Or ask the bucket's administrator for the rights" in ask("no rights", good)
arguments = {name.lower(): value for name, value in of_admin.items()}
iam = boto3.client("iam", endpoint_url=endpoint, **arguments)
iam.put_user_policy(UserName="me", PolicyName="all", PolicyDocument=EVERYTHING)
ask("no rights, corrected", good)


class Missing:
    """Finds that boto3 is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        """Raise what Python's own finders lead to."""
        if name == "boto3":
            raise ModuleNotFoundError("No module named 'boto3'", name=name)


del sys.modules["boto3"]
sys.meta_path.insert(0, Missing())
os.environ["MLFLOW_S3_ENDPOINT_URL"] = f"{endpoint}//////"
ask("no driver", good)
