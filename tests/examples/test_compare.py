"""A user compares the runs of a notebook in the dashboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from support.dashboard import Dashboard, Run, colours, traces
from support.waiting import wait_for

pytestmark = pytest.mark.browser
NOTEBOOKS = ["scikit-learn", "pytorch"]


@pytest.fixture
def compared(dashboard: Dashboard) -> list[Run]:
    """All runs of the PyTorch notebook, compared, from left to right."""
    runs = dashboard.open_runs("pytorch")
    dashboard.page.get_by_role("checkbox", name="Select all runs").check()
    dashboard.compare(len(runs))
    return runs


def plot_of(dashboard: Dashboard, tab: str) -> Locator:
    """Plotly's element below `tab` of a comparison."""
    dashboard.page.get_by_role("tab", name=tab).click()
    return dashboard.page.get_by_role("tabpanel", name=tab).locator(".js-plotly-plot")


def numbers(runs: list[Run], parameter: str) -> list[float]:
    return [float(run.parameters[parameter]) for run in runs]


def test_selected_runs_are_compared_side_by_side(dashboard: Dashboard) -> None:
    runs = dashboard.open_runs("pytorch")[1:4]
    dashboard.select(runs)
    dashboard.compare(len(runs))
    main = dashboard.main
    names = main.get_by_role("row", name="Run Name:").get_by_role("cell")
    expect(names).to_have_text([run.name for run in runs])
    rates = main.get_by_role("row", name="learning_rate")
    expect(rates.get_by_role("cell")).to_have_text(
        [run.parameters["learning_rate"] for run in runs]
    )
    sizes = main.get_by_role("row", name="batch_size")
    expect(sizes).to_be_visible()
    main.get_by_role("switch", name="Parameters - Show diff only").click()
    expect(sizes).to_be_hidden()  # all runs have the same
    expect(rates).to_be_visible()
    for run in runs:
        shown = f"{run.metrics['accuracy']:.3f}".rstrip("0")
        expect(main.get_by_text(shown, exact=True).first).to_be_attached()


def test_parallel_coordinates_show_chosen_parameters(
    dashboard: Dashboard, compared: list[Run]
) -> None:
    plot = plot_of(dashboard, "Parallel Coordinates Plot")
    dashboard.choose_axes(["channels", "learning_rate"], ["accuracy"])
    expect(plot).to_contain_text("learning_rate")
    (drawn,) = traces(plot)
    assert drawn["type"] == "parcoords"
    assert drawn["axes"] == {
        "channels": numbers(compared, "channels"),
        "learning_rate": numbers(compared, "learning_rate"),
        "accuracy": [run.metrics["accuracy"] for run in compared],
    }
    for axis in drawn["axes"]:
        expect(plot.get_by_text(axis, exact=True)).to_be_visible()
    assert len(colours(plot.locator("canvas").first)) >= 3  # the lines


def test_scatter_plot_shows_a_parameter_and_a_metric(
    dashboard: Dashboard, compared: list[Run]
) -> None:
    plot = plot_of(dashboard, "Scatter Plot")
    choose_axis(dashboard, "X-axis:", "learning_rate")
    choose_axis(dashboard, "Y-axis:", "test_loss")
    expect(plot.get_by_text("test_loss", exact=True)).to_be_visible()
    expect(plot.get_by_text("learning_rate", exact=True)).to_be_visible()
    (drawn,) = traces(plot)
    assert [float(x) for x in drawn["x"]] == numbers(compared, "learning_rate")
    assert drawn["y"] == [run.metrics["test_loss"] for run in compared]
    wait_for(lambda: colours(plot), message="no points")
    expect(plot).not_to_contain_text("WebGL")  # an error message about missing WebGL


def test_contour_plot_shows_two_parameters_and_a_metric(
    dashboard: Dashboard, compared: list[Run]
) -> None:
    plot = plot_of(dashboard, "Contour Plot")
    choose_axis(dashboard, "X-axis:", "learning_rate")
    choose_axis(dashboard, "Y-axis:", "channels")
    choose_axis(dashboard, "Z-axis:", "accuracy")
    expect(plot.get_by_text("channels", exact=True)).to_be_visible()
    drawn = next(trace for trace in traces(plot) if trace["type"] == "contour")
    assert drawn["x"] == numbers(compared, "learning_rate")
    assert drawn["y"] == numbers(compared, "channels")
    assert drawn["z"] == [run.metrics["accuracy"] for run in compared]
    wait_for(lambda: len(colours(plot)) > 10, message="no surface")


def choose_axis(dashboard: Dashboard, axis: str, name: str) -> None:
    dashboard.page.get_by_role("combobox", name=axis).click()
    dashboard.page.get_by_role("option", name=name, exact=True).click()


def test_chart_of_a_metric_shows_curves_of_all_runs(
    dashboard: Dashboard, compared: list[Run]
) -> None:
    # By keyboard: the table of metrics may still move after the scroll, and the click would miss.
    dashboard.page.get_by_role("link", name="test_loss", exact=True).press("Enter")
    expect_curves(dashboard, "test_loss", compared)


def test_chart_view_of_the_runs_table_shows_curves_of_all_runs(dashboard: Dashboard) -> None:
    runs = dashboard.open_runs("pytorch")
    dashboard.show_charts()
    expect_curves(dashboard, "accuracy", runs)
    expect_curves(dashboard, "train_loss", runs)


def expect_curves(dashboard: Dashboard, metric: str, runs: list[Run]) -> None:
    """Assert that the chart of `metric` has every point of every run."""
    chart = dashboard.chart(metric)
    chart.scroll_into_view_if_needed()
    plot = chart.locator(".js-plotly-plot")
    logged = {run.name: dashboard.history(run, metric) for run in runs}
    wait_for(lambda: {trace["name"] for trace in traces(plot)} == set(logged), message="no curves")
    drawn = traces(plot)
    for trace in drawn:  # the chart view has two of each: raw and smoothed with 0
        assert list(zip(trace["x"], trace["y"], strict=True)) == logged[trace["name"]]
    expect(plot.locator(".scatterlayer .js-line")).to_have_count(len(drawn))
    for run in runs:
        expect(chart.get_by_text(f"{run.name} ({metric})").first).to_be_attached()


def test_best_run_is_found_by_sort_and_by_search(dashboard: Dashboard) -> None:
    runs = dashboard.open_runs("scikit-learn")
    best_first = sorted(runs, key=lambda run: -run.metrics["accuracy"])
    dashboard.sort("accuracy")
    dashboard.expect_rows([run.name for run in best_first])

    search = dashboard.main.get_by_role("combobox").first
    search.fill(f"metrics.accuracy > {best_first[1].metrics['accuracy']}")
    search.press("Enter")
    dashboard.expect_rows([best_first[0].name])
    search.fill("params.classifier = 'GaussianNB'")
    search.press("Enter")
    dashboard.expect_rows(["naive Bayes"])


def test_overview_of_a_run_shows_parameters_and_metrics(dashboard: Dashboard) -> None:
    run = dashboard.open_runs("scikit-learn")[0]
    page, main = dashboard.page, dashboard.main
    page.get_by_role("link", name=run.name, exact=True).click()
    expect(main.get_by_role("heading", name=run.name)).to_be_visible()
    for name, value in [*run.parameters.items(), *run.metrics.items()]:
        row = main.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True))
        expect(row).to_contain_text(str(value))
    expect(main.get_by_text("Finished", exact=True)).to_be_visible()
    expect(main.get_by_text(run.id)).to_be_visible()
    expect(main.get_by_text("scikit-learn.ipynb")).to_be_visible()
