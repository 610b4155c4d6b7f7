"""The commands that a page of the documentation has, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from .processes import BIN

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^ *```bash\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def recipes(page: str, heading: str) -> list[str]:
    """The blocks of commands below `heading` of `page`."""
    _, _, text = (DOCS / page).read_text().partition(f"\n## {heading}\n")
    return BLOCK.findall(text.partition("\n## ")[0])


def follow(recipe: str, folder: Path, **variables: str) -> str:
    """Run `recipe` in `folder`; returns what it prints."""
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", recipe],
        cwd=folder,
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
