"""What setup.cfg cannot say: the version of package.json, links that work on PyPI, `icons`."""

import json
import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

ROOT = Path(__file__).parent
PACKAGE = json.loads((ROOT / "mlflow_proxy" / "lab" / "package.json").read_text())
VERSION = PACKAGE["version"]
REPOSITORY = PACKAGE["homepage"]


def absolute(link: "re.Match[str]") -> str:
    """`link` of README.md to a file of the repository, as a link to this release of it."""
    is_image, text, path = link.groups()
    kind = "raw" if is_image else "blob"
    return f"{is_image}[{text}]({REPOSITORY}/{kind}/v{VERSION}/{path})"


LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")

# Folders of data are packages, too. `lab` is JupyterLab's, and `icons` lies beside the package.
PACKAGES = find_namespace_packages(
    include=["mlflow_proxy", "mlflow_proxy.*"],
    exclude=["mlflow_proxy.icons", "mlflow_proxy.lab*", "*.__pycache__"],
)

setup(
    version=VERSION,
    packages=[*PACKAGES, "mlflow_proxy.icons"],
    long_description=LINK.sub(absolute, (ROOT / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    project_urls={
        "Documentation": "https://jupyter-mlflow-proxy.readthedocs.io/",
        "Source": REPOSITORY,
        "Issues": f"{REPOSITORY}/issues",
        "Changelog": f"{REPOSITORY}/blob/v{VERSION}/CHANGELOG.md",
    },
)
