"""Entry of the MLflow process. It is run by its path, so that any interpreter can run it.

Also one that is too old: until that is known, this uses nothing that Python 2 lacks.
"""

import os
import sys

OLDEST = (3, 10)

if sys.version_info < OLDEST:
    print("Python %d.%d is too old." % sys.version_info[:2])  # noqa: UP031
    sys.exit(0)  # Jupyter says what is needed; it would try again after any other code

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
