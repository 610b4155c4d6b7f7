"""The tile's icon. `setup.cfg` makes this folder the package `mlflow_proxy.icons`."""
