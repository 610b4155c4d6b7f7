"""Sphinx builds the documentation with this: `sphinx-build -W docs docs/_build`."""

import sys
from datetime import date
from importlib.metadata import version as version_of
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

project = "jupyter-mlflow-proxy"
author = "jupyter-mlflow-proxy contributors"
project_copyright = f"{date.today().year}, {author}"
version = release = version_of(project)

extensions = ["myst_parser", "sphinx_copybutton", "from_code", "repository_links"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = project
html_logo = "../icons/mlflow.svg"
html_favicon = "../icons/mlflow.svg"
html_copy_source = html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["wide_tables.css"]
html_sidebars = {"index": [], "tutorial": [], "troubleshooting": []}
repository = "https://github.com/jupyter-mlflow-proxy/jupyter-mlflow-proxy"
html_theme_options = {
    "github_url": repository,
    "logo": {"text": project},
    "navbar_align": "left",
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
