"""Entry of the MLflow process. It is run by its path, so that any interpreter can run it."""

import importlib.util
import sys
from pathlib import Path


def make_importable() -> None:
    """Make `mlflow_proxy` importable, but nothing else of the folder that holds it."""
    here = Path(__file__).resolve().parent
    sys.path.remove(str(here))
    package = here.parent
    spec = importlib.util.spec_from_file_location(
        "mlflow_proxy", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None  # noqa: S101
    sys.modules["mlflow_proxy"] = importlib.util.module_from_spec(spec)
    assert spec.loader is not None  # noqa: S101
    spec.loader.exec_module(sys.modules["mlflow_proxy"])


if __name__ == "__main__":
    make_importable()
    from mlflow_proxy.server.cli import main

    sys.exit(main())
