"""What a user does in both dashboards. Each begins on a page of its own and changes the store."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

Interaction = Callable[[Page], None]
RUNS = "experiments/{experiment}/runs?workflowType=machine_learning"
RUN = "experiments/{experiment}/runs/{run}?workflowType=machine_learning"


def search_runs(page: Page) -> None:
    """A filter, and one that cannot be read."""
    for text in ("params.depth = '2'", "nonsense ="):
        box = page.get_by_placeholder("metrics.rmse").first
        box.fill(text)
        box.press("Enter")
        page.wait_for_timeout(1500)


def create_experiment(page: Page) -> None:
    """With a name that has characters of URLs."""
    page.get_by_role("button", name="Create", exact=False).first.click()
    page.get_by_role("dialog").get_by_role("textbox").first.fill("new & #1 ü")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_text("new & #1 ü").first).to_be_visible()


def tag_a_run(page: Page) -> None:
    """A tag with a value."""
    page.get_by_role("button", name="Add tags").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").first.click()
    page.keyboard.type("colour")
    page.keyboard.press("Enter")
    dialog.get_by_placeholder("Type a value").fill("blue & green")
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Save tags").click()
    expect(page.get_by_text("blue & green").first).to_be_visible()


def rename_a_run(page: Page) -> None:
    """In the table; runs cannot be tagged together."""
    select_first(page)
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_role("textbox").first.fill("new & #1 ü")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("new & #1 ü").first).to_be_visible()


def select_first(page: Page) -> None:
    """Tick the first run, whose box is drawn by another element."""
    page.locator(".ag-row .ag-checkbox-input").first.check(force=True)


def download_runs(page: Page) -> None:
    """The table of runs as CSV."""
    page.get_by_role("main").get_by_role("button", name="More options").first.click()
    with page.expect_download() as download:
        page.get_by_text("Download", exact=False).first.click()
    assert download.value.path().read_text().count("\n") >= 3


def delete_and_restore_runs(page: Page) -> None:
    """One run; it is then in the list of what is deleted."""
    select_first(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("2 matching runs")).to_be_visible()


def change_theme(page: Page) -> None:
    """Dark, and light again."""
    for _ in range(2):
        page.get_by_role("switch").or_(page.get_by_label("Theme")).first.click()
        page.wait_for_timeout(300)


INTERACTIONS: tuple[tuple[str, Interaction], ...] = (
    ("experiments", create_experiment),
    (RUN, tag_a_run),
    (RUNS, rename_a_run),
    (RUNS, download_runs),
    (RUNS, delete_and_restore_runs),
    (RUNS, search_runs),  # last: MLflow 3.18 keeps what was searched for
    ("settings", change_theme),
)
