"""What a user does with traces, judges, datasets and webhooks; as in `interactions.py`."""

import re

from playwright.sync_api import Page, expect

from support.processes import free_ports

MODEL_SERVER_PORT = free_ports(1)[0]
expect.set_options(timeout=15_000)
JOB = 90_000  # milliseconds; a job imports MLflow first
TRACES = "experiments/{experiment}/traces"
NAME = "new & #1 ü"


def choose_for_trace(page: Page, action: str) -> None:
    """Tick the first trace, whose box is drawn by another element, and choose `action`."""
    page.get_by_role("checkbox", name="Select trace").first.check(force=True)
    page.get_by_role("button", name="Actions for selected traces").click()
    page.get_by_role("menuitem", name=action).click()


def tag_traces(page: Page) -> None:
    """All that are ticked, at once."""
    choose_for_trace(page, "Edit tags")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").click()
    page.keyboard.type("colour")
    page.keyboard.press("Enter")
    dialog.get_by_placeholder("Type a value").fill("blue & green")
    dialog.get_by_role("button", name="Add tag").click()
    dialog.get_by_role("button", name="Save tags").click()
    expect(page.get_by_text("colour: blue & green").first).to_be_attached()


def run_a_judge(page: Page) -> None:
    """From the table of traces, until its verdict is there."""
    choose_for_trace(page, "Run scorers")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Custom judge")).to_be_visible()
    dialog.get_by_role("checkbox").first.check(force=True)
    dialog.get_by_role("button", name="Run judge").click()
    expect(page.get_by_text("completed successfully")).to_be_visible(timeout=JOB)


def give_feedback(page: Page) -> None:
    """In the form beside a trace."""
    page.get_by_role("button", name="Assess").click()
    page.get_by_role("button", name="Add feedback").click()
    page.get_by_role("menuitem", name="Human feedback").click()
    page.get_by_placeholder("Enter a feedback na").fill(NAME)
    page.keyboard.press("Enter")
    form = page.locator("[data-component-id$=assessment-rationale-input]")
    form.fill("It is <b>kind</b> & good.")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("Feedback (1)")).to_be_visible()


def create_a_dataset(page: Page) -> None:
    """With a name that has characters of URLs."""
    page.get_by_role("button", name="Create dataset").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill(NAME)
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_be_hidden()
    page.reload()  # MLflow 3.17 does not show the first dataset before
    expect(page.get_by_text(NAME).first).to_be_visible()


def add_a_trace_to_the_dataset(page: Page) -> None:
    """The dataset that was created before."""
    choose_for_trace(page, "Add to evaluation dataset")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("checkbox").last.check(force=True)
    dialog.get_by_role("button", name="Export").click()
    expect(dialog).to_be_hidden()


def add_a_question(page: Page) -> None:
    """To the questions for reviewers."""
    page.get_by_role("button", name="Manage questions").click()
    page.get_by_role("button", name="Add question").click()
    dialog = page.get_by_role("dialog").last
    fields = dialog.get_by_role("textbox")
    fields.first.fill("Is it kind?")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_text("Is it kind?").first).to_be_visible()


def flag_for_review(page: Page) -> None:
    """Put a trace into the queue."""
    choose_for_trace(page, "Flag for review")
    page.get_by_role("option", name="Default queue").click()
    expect(page.get_by_text("Added 1 trace to review").first).to_be_visible()


def review_the_queue(page: Page) -> None:
    """Answer the question about the trace that was flagged before."""
    page.get_by_role("button", name="Start review").click()
    page.locator("textarea").first.fill("kind & good")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Completed (1)")).to_be_visible()


def deliver_webhooks(page: Page) -> None:
    """To a server that receives them, then to an address where nothing listens."""
    page.get_by_role("button", name="Create webhook").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_placeholder("My webhook").fill("receiver")
    dialog.get_by_text("Registered model created").click()
    for port, outcome in ((MODEL_SERVER_PORT, "succeeded"), (9, "refused")):
        dialog.get_by_placeholder("https://example.com/webhook").fill(f"http://127.0.0.1:{port}/")
        dialog.get_by_role("button", name=re.compile("^(Create|Save)$")).click()
        page.get_by_role("button", name="Test").click()
        result = page.get_by_text(re.compile(outcome, re.IGNORECASE)).first
        expect(result).to_be_visible(timeout=JOB)
        page.get_by_role("button", name="Edit").click()
    dialog.get_by_role("button", name="Cancel").click()


GENAI_INTERACTIONS = (
    (TRACES, tag_traces),
    ("experiments/{judged}/traces", run_a_judge),
    (TRACES + "/{trace}", give_feedback),
    ("experiments/{experiment}/datasets", create_a_dataset),
    (TRACES, add_a_trace_to_the_dataset),
    ("experiments/{experiment}/review-queue", add_a_question),
    (TRACES, flag_for_review),
    ("experiments/{experiment}/review-queue", review_the_queue),
    ("settings/webhooks", deliver_webhooks),
)
