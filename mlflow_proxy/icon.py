"""MLflow's icon, for the tile and for pages."""

from importlib import import_module
from pathlib import Path
from urllib.parse import quote

FAILED_MARK = Path(__file__).with_name("failed_mark.svg")


def icon() -> Path:
    """Path of the icon, wherever the installation keeps it.

    An editable install maps the package `mlflow_proxy.icons` to a folder elsewhere. The package's
    path says where; `importlib.resources` would cost the supervisor 2 MB of memory.
    """
    return Path(import_module("mlflow_proxy.icons").__path__[0]) / "mlflow.svg"


def tab_icons() -> dict[str, str]:
    """The icon of a page's tab, as addresses: a plain one, and one for a failure."""
    plain = icon().read_text(encoding="utf-8")
    mark = FAILED_MARK.read_text(encoding="utf-8")
    failed = plain.replace("</svg>", f"{mark}</svg>")
    return {
        name: f"data:image/svg+xml,{quote(svg)}"
        for name, svg in (("plain", plain), ("failed", failed))
    }
