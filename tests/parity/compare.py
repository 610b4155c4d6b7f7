"""Walks MLflow's dashboard on the tile and on a plain `mlflow server`, and prints what differs.

    python tests/parity/compare.py [--short] [--only PART]

Both serve copies of one store. Compared are, for each page and interaction, the answers at or above
400, the console's errors and the text of the page. Known differences are in `known.py`, with the
reason. Ends with 1 if there is another. Run it on each new release of MLflow.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Response

sys.path.insert(0, str(Path(__file__).parents[1]))

from interactions import INTERACTIONS, Interaction
from known import KNOWN
from routes import PAGES, SHORT

from mlflow_proxy.shared.addresses import ASSISTANT_KEY
from support.browser import chromium
from support.lab import TOKEN, lab_server
from support.tracking_server import tracking_server

LOG_EVERYTHING = Path(__file__).parents[1] / "resources" / "log_everything.py"
QUIET = 700  # milliseconds without a request, after which a page is complete
LONGEST = 12_000  # milliseconds; some pages refresh themselves for ever
POLL = 100  # milliseconds
TRIES = 3  # of a page that differs; an interaction changes the store
# What differs from one load to the next.
VARIABLE = re.compile(
    r"\b\d+ (second|minute|hour|day)s? ago\b|\b\d{1,2}[/:]\d\d([/:]\d\d(\d\d)?)?( [AP]M)?"
    r"|\b\d+(\.\d+)?(ms|s)\b"
)
NOTICES = re.compile("^(Got it|Try it now)$")
# The mode of a new browser, whose Assistant has opened before.
VISITED = f"""
(() => {{
const mode = "mlflow.workflowType_v1";
localStorage.getItem(mode) ?? localStorage.setItem(mode, '"genai"');
localStorage.setItem("{ASSISTANT_KEY}", "true");
}})();
"""


class Side:
    """One of the two dashboards in a browser of its own."""

    def __init__(self, name: str, context: BrowserContext, address: str) -> None:
        self.name = name
        self.address = address
        self.context = context
        context.set_default_timeout(15_000)
        context.add_init_script(VISITED)

    def visit(self, route: str, act: Interaction | None = None) -> set[str]:
        """What is to be compared after `act` on the page `route`."""
        page = self.context.new_page()
        found: set[str] = set()
        open_requests = follow_requests(page)
        page.on("response", lambda response: self._note_response(response, found))
        page.on("console", lambda message: self._note_console(message, found))
        page.on("pageerror", lambda error: found.add(f"error: {self._plain(str(error))}"))
        notice = page.get_by_role("button", name=NOTICES).first
        page.add_locator_handler(notice, lambda button: button.dispatch_event("click"))
        try:
            page.goto(f"{self.address}/#/{route}")
            settle(page, open_requests)
            if act:
                act(page)
                settle(page, open_requests)
            text = page.locator("body").inner_text()
            found |= {f"text: {self._plain(line)}" for line in text.splitlines() if line.strip()}
        except (AssertionError, Error) as error:
            found.add(f"not driven: {(str(error) or repr(error)).splitlines()[0]}")
        finally:
            page.close()
        return found

    def _note_response(self, response: Response, found: set[str]) -> None:
        if response.status >= 400:
            path = urlsplit(self._plain(response.url)).path.lstrip("/")
            found.add(f"{response.status} {response.request.method} {path}")

    def _note_console(self, message: ConsoleMessage, found: set[str]) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            found.add(f"console: {self._plain(message.text).splitlines()[0]}")

    def _plain(self, text: str) -> str:
        """`text` without what differs by the address or the time."""
        origin = self.address.removesuffix("/mlflow")
        for own in (self.address, origin, urlsplit(origin).netloc):
            text = text.replace(own, "")
        return VARIABLE.sub("#", text).strip()


def follow_requests(page: Page) -> set[object]:
    """The requests of `page` that have not ended."""
    open_requests: set[object] = set()

    # Playwright cannot call methods of built-in types.
    def begin(request: Request) -> None:
        open_requests.add(request)

    def end(request: Request) -> None:
        open_requests.discard(request)

    page.on("request", begin)
    page.on("requestfinished", end)
    page.on("requestfailed", end)
    return open_requests


def settle(page: Page, open_requests: set[object]) -> None:
    """Wait until `page` sends no requests for `QUIET`, `LONGEST` at most."""
    quiet = waited = 0
    while quiet < QUIET and waited < LONGEST:
        page.wait_for_timeout(POLL)
        waited += POLL
        quiet = 0 if open_requests else quiet + POLL


@contextmanager
def both(folder: Path) -> Iterator[tuple[list[tuple[str, str]], dict[str, str]]]:
    """Run both servers on copies of one store; yields their addresses, and ids of its content."""
    store, artifacts = folder / "mlflow.db", folder / "artifacts"
    variables = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{store}",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": str(artifacts),
    }
    command = [sys.executable, str(LOG_EVERYTHING)]
    env = {**os.environ, **variables}
    printed = subprocess.run(
        command, env=env, check=True, capture_output=True, text=True, cwd=folder
    )
    content = json.loads(printed.stdout.strip().splitlines()[-1])
    ids = {
        "experiment": content["experiment"],
        "run": content["runs"][0],
        "runs": json.dumps(content["runs"], separators=(",", ":")).replace('"', "%22"),
        "trace": content["trace"],
    }
    for name in ("plain", "work"):
        (folder / name).mkdir()
        shutil.copy(store, folder / name / "mlflow.db")
    config = f"c.MLflowProxy.default_artifact_root = {str(artifacts)!r}"
    with ExitStack() as stack:
        plain = stack.enter_context(
            tracking_server(folder / "plain", "--default-artifact-root", str(artifacts))
        )
        home = folder / "lab"
        home.mkdir()
        lab = stack.enter_context(
            lab_server(home, config=config, root=folder / "work", program="server")
        )
        lab.wait_until("ready")
        yield [("tile", lab.mlflow_url), ("plain", plain.url)], ids


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
        walks += [(act.__name__, route, act) for route, act in INTERACTIONS]
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
