"""The script by which a page in a frame of JupyterLab has JupyterLab's theme."""

from pathlib import Path


def lab_theme() -> str:
    """The script; its tag has MLflow's key of the theme as `data-theme-key`."""
    return Path(__file__).with_name("lab_theme.js").read_text(encoding="utf-8")
