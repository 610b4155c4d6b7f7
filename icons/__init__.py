"""MLflow's icon. The module lets setuptools' editable installs find this folder."""
