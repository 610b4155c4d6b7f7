"""A user opens artifacts, models and traces of the notebooks in the dashboard."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from support.dashboard import Dashboard
from support.lab import Lab

pytestmark = pytest.mark.browser
NOTEBOOKS = ["scikit-learn", "registry-and-deployment", "traces"]
MODEL = "wine-cultivar"
BYTES = "async img => Array.from(new Uint8Array(await (await fetch(img.src)).arrayBuffer()))"


@pytest.fixture
def artifacts(dashboard: Dashboard, examples_lab: Lab) -> Path:
    """Open the artifacts of a scikit-learn run in the dashboard; returns their folder on disk."""
    run = dashboard.runs("scikit-learn")[0]
    experiment = dashboard.experiment("scikit-learn")
    dashboard.open(f"experiments/{experiment}/runs/{run.id}")
    dashboard.page.get_by_role("tab", name="Artifacts").click()
    return examples_lab.root / "mlartifacts" / experiment / run.id / "artifacts"


def show(dashboard: Dashboard, name: str) -> None:
    """Select an artifact in the tree."""
    dashboard.main.get_by_role("listitem").get_by_text(name, exact=True).click()
    expect(dashboard.main.get_by_text("Path: ")).to_contain_text(name)


def test_image_artifact_is_shown(dashboard: Dashboard, artifacts: Path) -> None:
    show(dashboard, "confusion_matrix.png")
    shown = dashboard.main.get_by_role("img", name="confusion_matrix.png")
    expect(shown).to_be_visible()
    size = shown.evaluate(
        "async img => (await img.decode(), [img.naturalWidth, img.naturalHeight])"
    )
    logged = (artifacts / "confusion_matrix.png").read_bytes()
    assert tuple(size) == Image.open(io.BytesIO(logged)).size
    assert bytes(shown.evaluate(BYTES)) == logged


def test_html_artifact_is_shown_without_an_origin(dashboard: Dashboard, artifacts: Path) -> None:
    show(dashboard, "report.html")
    page = dashboard.main.locator("iframe").content_frame
    expect(page.get_by_role("heading")).to_have_text("Classification report")
    rows = (artifacts / "report.html").read_text().count("<tr")
    expect(page.get_by_role("row")).to_have_count(rows)
    assert page.locator("html").evaluate("() => window.origin") == "null"


def test_csv_artifact_is_shown_as_a_table(dashboard: Dashboard, artifacts: Path) -> None:
    show(dashboard, "predictions.csv")
    titles, *rows = csv.reader(io.StringIO((artifacts / "predictions.csv").read_text()))
    expect(dashboard.main.get_by_role("columnheader")).to_have_text(titles)
    shown = dashboard.main.get_by_role("cell").all_inner_texts()
    assert len(shown) >= 10 * len(titles)
    logged = [text for row in rows for text in row]
    for shown_text, logged_text in zip(shown, logged, strict=False):
        assert shown_text == logged_text.removesuffix(".0")  # as JavaScript writes numbers


def test_text_artifact_is_shown(dashboard: Dashboard, artifacts: Path) -> None:
    show(dashboard, "report.txt")
    expect(dashboard.main.get_by_role("code")).to_have_text((artifacts / "report.txt").read_text())


def test_artifact_is_downloaded(dashboard: Dashboard, artifacts: Path) -> None:
    show(dashboard, "confusion_matrix.png")
    download_button = dashboard.main.get_by_text("Path: ").locator("xpath=preceding::button[1]")
    with dashboard.page.expect_download() as download:
        download_button.click()
    assert download.value.suggested_filename == "confusion_matrix.png"
    logged = artifacts / "confusion_matrix.png"
    assert Path(download.value.path()).read_bytes() == logged.read_bytes()


def test_user_finds_the_champion_in_the_registry(dashboard: Dashboard) -> None:
    page, main = dashboard.page, dashboard.main
    dashboard.open("models")
    row = main.get_by_role("row").filter(has=page.get_by_role("link", name=MODEL, exact=True))
    champion = row.get_by_role("link", name="champion : Version 2")
    expect(champion).to_be_visible()
    page.get_by_role("link", name=MODEL, exact=True).click()
    for version, alias in (1, "Add"), (2, "champion"):
        expect(main.get_by_role("row", name=f"Version {version}")).to_contain_text(alias)
    page.get_by_role("link", name="Version 2").click()
    expect(main.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(main.get_by_role("status", name="champion")).to_be_visible()
    main.get_by_role("cell", name="Inputs (13)").click()
    expect(main.get_by_role("row", name="malic_acid")).to_contain_text("double")
    main.get_by_role("link", name="C = 0.1").click()
    expect(main.get_by_role("heading", name="C = 0.1")).to_be_visible()


def test_trace_is_shown_with_its_spans(dashboard: Dashboard) -> None:
    page = dashboard.page
    dashboard.open(f"experiments/{dashboard.experiment('traces')}/traces")
    page.get_by_text("Where does an alias point to?").first.click()
    trace = page.get_by_role("dialog")
    for span in "answer", "retrieve", "check", "generate":
        expect(trace.get_by_text(span, exact=True).first).to_be_visible()
    trace.get_by_text("check", exact=True).first.click()
    expect(trace.get_by_text("enough", exact=True)).to_be_visible()
