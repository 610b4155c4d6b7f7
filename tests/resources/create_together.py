"""Create one SQLite store from many processes at once: FOLDER, then `dashboard` or seconds each.

A number is a kernel that logs a run after that many seconds. MLflow is imported once and the
processes are forked afterwards, so that they run at the same time. With the variable of the
dashboard's address, kernels have this package's plugin.
"""

import os
import sys
import time

from mlflow_proxy.server import mlflow_app
from mlflow_proxy.server.store.settings import StoreSettings

folder, *programs = sys.argv[1:]
uri = f"sqlite:///{folder}/mlflow.db"
settings = StoreSettings.parse(uri, uri, f"{folder}/mlartifacts")
os.environ["MLFLOW_TRACKING_URI"] = uri
mlflow_app.configure(settings)
mlflow_app.load()

import mlflow  # noqa: E402
import mlflow.store.tracking.sqlalchemy_store  # noqa: E402


def run(program: str) -> None:
    if program == "dashboard":
        mlflow_app.open_stores(settings, lambda text: None)
        return
    time.sleep(float(program))
    with mlflow.start_run():
        mlflow.log_param("delay", program)


children = []
for program in programs:
    pid = os.fork()
    if pid == 0:
        run(program)
        os._exit(0)
    children.append(pid)
codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
sys.exit(f"exit codes {codes} of {programs}" if any(codes) else 0)
