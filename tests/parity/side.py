"""One of the two dashboards, in a browser of its own."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from interactions import Interaction
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Response

from mlflow_proxy.addresses import ASSISTANT_KEY

QUIET = 700  # milliseconds without a request, after which a page is complete
LONGEST = 12_000  # milliseconds; some pages refresh themselves for ever
POLL = 100  # milliseconds
# What differs from one load to the next.
VARIABLE = re.compile(
    r"\b\d+ (second|minute|hour|day)s? ago\b|\b\d{1,2}[/:]\d\d([/:]\d\d(\d\d)?)?( [AP]M)?"
    r"|\b\d+(\.\d+)?(ms|s)\b"
)
NOTICES = re.compile("^(Got it|Try it now)$")
# A new browser's mode; the Assistant has opened, and the notice over the traces was shown, before.
VISITED = f"""
(() => {{
const mode = "mlflow.workflowType_v1";
localStorage.getItem(mode) ?? localStorage.setItem(mode, '"genai"');
localStorage.setItem("{ASSISTANT_KEY}", "true");
localStorage.setItem("mlflow.detectIssues.guidanceShown_v1", "true");
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
            found.add(f"not driven: {self._plain(' '.join((str(error) or repr(error)).split()))}")
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
