"""What the pages of both sides share: MLflow's icon, and the script for JupyterLab's theme."""

from importlib import import_module
from pathlib import Path
from urllib.parse import quote

FOLDER = Path(__file__).parent


def icon() -> Path:
    """Path of the icon; an editable install maps the package `mlflow_proxy.icons` elsewhere."""
    return Path(import_module("mlflow_proxy.icons").__path__[0]) / "mlflow.svg"


def tab_icons() -> dict[str, str]:
    """The icon of a page's tab, as addresses: a plain one, and one for a failure."""
    plain = icon().read_text(encoding="utf-8")
    mark = (FOLDER / "failed_mark.svg").read_text(encoding="utf-8")
    svgs = {"plain": plain, "failed": plain.replace("</svg>", f"{mark}</svg>")}
    return {name: f"data:image/svg+xml,{quote(svg)}" for name, svg in svgs.items()}


def lab_theme() -> str:
    """The script by which a page in a frame of JupyterLab has Lab's theme.

    Its tag has MLflow's key of the theme as `data-theme-key`.
    """
    return (FOLDER / "lab_theme.js").read_text(encoding="utf-8")
