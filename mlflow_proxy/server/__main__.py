"""Entry of the MLflow process. It is run by its path, so that any interpreter can run it.

Also one that is too old: until that has been reported, this uses nothing that Python 2 lacks.
"""

import os
import sys

OLDEST = (3, 10)

if sys.version_info < OLDEST:
    import json

    version = "Python %d.%d" % sys.version_info[:2]  # noqa: UP031
    report = {
        "report": "Failure",
        "reason": version + " is too old: " + sys.executable + " (c.MLflowProxy.python).",
        "remedy": "Name one of Python 3.10 or newer that has MLflow, then restart Jupyter.",
    }
    for argument in sys.argv:
        if argument.startswith("--reports="):
            line = json.dumps(report) + "\n"
            os.write(int(argument.partition("=")[2]), line.encode("ascii"))
    sys.exit(0)  # this was reported, and trying again would not help

import importlib.util  # noqa: E402

# Make `mlflow_proxy` importable, but nothing else of the folder that holds it.
HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)
sys.path[:] = [each for each in sys.path if os.path.realpath(each) != os.path.realpath(HERE)]
spec = importlib.util.spec_from_file_location(
    "mlflow_proxy", os.path.join(PACKAGE, "__init__.py"), submodule_search_locations=[PACKAGE]
)
assert spec is not None  # noqa: S101
assert spec.loader is not None  # noqa: S101
sys.modules["mlflow_proxy"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["mlflow_proxy"])

from mlflow_proxy.server.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
