"""Walks MLflow's dashboard on the tile and on a plain `mlflow server`, and prints what differs.

    python tests/parity/compare.py [--short] [--only PART]

Both serve copies of one store. Compared are, for each page and interaction, the answers at or above
400, the console's errors and the text of the page. Known differences are in `known.py`, with the
reason. Ends with 1 if there is another. Run it on each new release of MLflow.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from genai_interactions import GENAI_INTERACTIONS
from interactions import INTERACTIONS, Interaction
from known import KNOWN
from routes import PAGES, SHORT
from servers import both
from side import Side

from support.browser import chromium
from support.lab import TOKEN

TRIES = 3  # of a page that differs; an interaction changes the store


def is_known(where: str, difference: str) -> str | None:
    """Why this difference is meant, if it is."""
    for place, pattern, reason in KNOWN:
        if re.search(place, where) and re.search(pattern, difference):
            return reason
    return None


def compared(
    sides: list[Side], where: str, route: str, act: Interaction | None
) -> tuple[set[str], set[str]]:
    """What both sides have; again if that differs, because a slow page may not be complete."""
    for _ in range(1 if act else TRIES):
        tile, plain = (side.visit(route, act) for side in sides)
        unknown = [
            each
            for name, only in (("tile", tile - plain), ("plain", plain - tile))
            for each in only
            if not is_known(where, f"{name}: {each}")
        ]
        if not unknown:
            break
    return tile, plain


def report(where: str, tile: set[str], plain: set[str]) -> int:
    """Print what differs; returns how much of it is not known."""
    lines = [f"tile: {each}" for each in sorted(tile - plain)]
    lines += [f"plain: {each}" for each in sorted(plain - tile)]
    unknown = [line for line in lines if not is_known(where, line)]
    failed = sorted(each for each in tile & plain if each.startswith("not driven"))
    state = "differs" if unknown else "not driven" if failed else "same"
    known = f" ({len(lines) - len(unknown)} known)" if len(lines) > len(unknown) else ""
    print(f"{state:10} {where}{known}", flush=True)
    for line in (*unknown, *failed):
        print(f"           {line[:300]}", flush=True)
    return len(unknown) + len(failed)


def main() -> int:
    """Compare; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="four pages")
    parser.add_argument("--only", default="", help="pages and interactions with this in the name")
    options = parser.parse_args()
    walks: list[tuple[str, str, Interaction | None]] = [
        (route or "home", route, None) for route in (SHORT if options.short else PAGES)
    ]
    if not options.short:
        walks += [(act.__name__, route, act) for route, act in (*INTERACTIONS, *GENAI_INTERACTIONS)]
    unknown = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        both(Path(folder)) as (servers, ids),
        chromium() as browser,
    ):
        sides = [
            Side(name, browser.new_context(viewport={"width": 1280, "height": 900}), address)
            for name, address in servers
        ]
        origin = servers[0][1].removesuffix("/mlflow")
        sides[0].context.request.get(f"{origin}/lab?token={TOKEN}")
        for name, route, act in walks:
            if options.only in name:
                unknown += report(name, *compared(sides, name, route.format(**ids), act))
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
