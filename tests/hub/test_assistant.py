"""The Assistant is offered on a hub, whose host name is not "localhost", and answers there."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from support.browser import picture, watch
from support.hub import BASE_URL, Hub
from support.hub_browser import TIMEOUT, browser_of, log_in
from support.judged_store import JudgedStore
from support.model_server import WORDS, model_server

pytestmark = [pytest.mark.hub, pytest.mark.browser]
CONFIG = "/ajax-api/3.0/mlflow/assistant/config"
SELECTED = {"providers": {"mlflow_gateway": {"selected": True, "model": "chat"}}}


def test_the_assistant_answers_a_user_of_the_hub(hub: Hub) -> None:
    work = hub.home / "frank" / "work"
    work.mkdir(parents=True)
    with model_server() as model, browser_of(hub) as browser:
        JudgedStore(work, model.url)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(TIMEOUT)
        log_in(page, hub, "frank")
        troubles = watch(page)
        page.goto(f"{hub.origin}{BASE_URL}user/frank/mlflow/#/experiments")
        expect(page.get_by_role("link", name="Default")).to_be_visible(timeout=TIMEOUT)
        with hub.log_in("frank") as session:
            session.put(
                hub.mlflow("frank", CONFIG),
                json=SELECTED,
                headers={"Origin": hub.origin, "X-XSRFToken": hub.xsrf_token(session, "frank")},
                timeout=60,
            ).raise_for_status()
        page.reload()
        expect(page.get_by_role("link", name="Default")).to_be_visible(timeout=TIMEOUT)
        question = page.get_by_placeholder("Ask a question...")
        expect(question).to_have_count(0)
        page.get_by_role("button", name=re.compile("Assistant")).last.click()
        question.fill("Hello")
        question.press("Enter")
        expect(page.get_by_text("".join(WORDS))).to_be_visible(timeout=TIMEOUT)
        picture(page, "hub-6-assistant")
        assert troubles == []
