"""The AI Gateway and the Assistant, in the dashboard and from a notebook's kernel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, expect

from mlflow_proxy.addresses import MAY_EXECUTE
from support.browser import chromium, picture, watch
from support.dashboard import log_in
from support.lab import Lab, lab_server
from support.model_server import WORDS, ModelServer, model_server

pytestmark = pytest.mark.browser

RELEASE = tuple(int(part) for part in version("mlflow").split(".")[:2])
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
CHAT_PATH = "gateway/mlflow/v1/chat/completions"
# Page, judges and Assistant of the oldest release want another package or program.
needs_no_more = pytest.mark.skipif(RELEASE < (3, 13), reason="wants litellm or Claude Code")
SOME_WITHOUT_KERNELS = """
from jupyter_server.auth import Authorizer
class SomeWithoutKernels(Authorizer):
    def is_authorized(self, handler, user, action, resource):
        may_not = (action, resource) == ("execute", "kernels")
        return not (may_not and "X-Without-Kernels" in handler.request.headers)
c.ServerApp.authorizer_class = SomeWithoutKernels
"""
ASSISTANT = "/ajax-api/3.0/mlflow/assistant"
# Without its check of addresses, MLflow's gateway takes a model server of this machine.
LOOPBACK_MODELS = {
    "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http,https",
    "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
}
ADD_ENDPOINTS = """
import json, os
from mlflow.entities.gateway_endpoint import GatewayEndpointModelConfig, GatewayModelLinkageType
from mlflow.tracking._tracking_service.utils import _get_store
store = _get_store()
secret = store.create_gateway_secret(
    secret_name="key", secret_value={{"api_key": "sk-of-the-tests"}}, provider="openai",
    auth_config={{"api_base": "{url}"}},
)
model = store.create_gateway_model_definition(
    name="model", secret_id=secret.secret_id, provider="openai", model_name="gpt-4o-mini"
)
for name in ("guarded", "chat"):
    endpoint = store.create_gateway_endpoint(
        name=name,
        model_configs=[GatewayEndpointModelConfig(
            model_definition_id=model.model_definition_id,
            linkage_type=GatewayModelLinkageType.PRIMARY,
        )],
    )
print(json.dumps([endpoint.endpoint_id, os.environ["MLFLOW_GATEWAY_URI"]]))
"""
JUDGE = """
import mlflow
from mlflow.genai.judges import make_judge
judge = make_judge(
    name="polite", instructions="Is {{ inputs }} polite?", model="gateway:/chat",
    feedback_value_type=bool,
)
feedback = judge(inputs={"text": "please"})
assert feedback.value is True, feedback
scorer = judge.register(experiment_id="0")
from mlflow.entities.gateway_guardrail import GuardrailAction, GuardrailStage
from mlflow.tracking._tracking_service.utils import _get_store
store = _get_store()
version = store.list_scorer_versions("0", "polite")[0]
guardrail = store.create_gateway_guardrail(
    name="politeness", scorer_id=version.scorer_id, scorer_version=version.scorer_version,
    stage=GuardrailStage.BEFORE, action=GuardrailAction.VALIDATION,
)
store.add_guardrail_to_endpoint(
    endpoint_id=store.get_gateway_endpoint(name="guarded").endpoint_id,
    guardrail_id=guardrail.guardrail_id,
)
"""


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("gateway")
    with lab_server(
        home, config=SOME_WITHOUT_KERNELS, base_url="/user/a%20b/", env=LOOPBACK_MODELS
    ) as server:
        yield server


@pytest.fixture(scope="module")
def endpoint(lab: Lab, model: ModelServer) -> tuple[str, str]:
    """The id of the endpoint "chat", and the address that kernels have for the gateway."""
    printed = lab.run_in_kernel(ADD_ENDPOINTS.format(url=model.url))
    endpoint_id, uri = json.loads(printed.splitlines()[-1])
    return endpoint_id, uri


@pytest.fixture(scope="module")
def context(lab: Lab) -> Iterator[BrowserContext]:
    with chromium() as browser:
        yield from logged_in(browser, lab)


def logged_in(browser: Browser, lab: Lab) -> Iterator[BrowserContext]:
    context = log_in(browser, lab)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


def test_a_kernel_needs_no_credential_for_the_gateway_and_reaches_nothing_else_with_it(
    lab: Lab, endpoint: tuple[str, str]
) -> None:
    uri = endpoint[1]
    answer = requests.post(f"{uri}/{CHAT_PATH}", json=CHAT, timeout=60)
    assert answer.status_code == 200, answer.text
    # An API key, which clients of OpenAI's API must have, does not matter.
    headers = {"Authorization": "Bearer any"}
    assert requests.get(f"{uri}/gateway/x", headers=headers, timeout=60).status_code == 404
    for path in ("", "/", "/health", "/api/2.0/mlflow/experiments/search", f"{ASSISTANT}/config"):
        assert requests.get(uri + path, timeout=60).status_code == 401
    assert uri.rpartition("/")[2] not in lab.log.read_text()


@pytest.mark.usefixtures("endpoint")
def test_a_stream_arrives_word_by_word(lab: Lab, model: ModelServer) -> None:
    model.goes_on.clear()
    with lab.post(f"/{CHAT_PATH}", json={**CHAT, "stream": True}, stream=True) as answer:
        lines = (line for line in answer.iter_lines(decode_unicode=True) if "content" in line)
        assert WORDS[0] in next(lines)
        model.goes_on.set()
        assert [word for word in WORDS[1:] if word in next(lines)] == list(WORDS[1:])


def ask_assistant(lab: Lab, **headers: str) -> requests.Response:
    """Send the Assistant a message."""
    path = f"{ASSISTANT}/message"
    return lab.post(path, json={"message": "Hello"}, headers=headers)


@needs_no_more
def test_judges_and_guardrails_ask_the_gateway(
    lab: Lab, endpoint: tuple[str, str], model: ModelServer
) -> None:
    lab.run_in_kernel(JUDGE)
    before = len(model.requests)
    answer = lab.post(f"/{CHAT_PATH}", json={**CHAT, "model": "guarded"})
    assert answer.status_code == 200, answer.text
    prompts = [json.dumps(each["messages"]) for each in model.requests[before:]]
    assert len(prompts) == 2
    assert "polite?" in prompts[0]


@needs_no_more
def test_the_page_of_an_endpoint_has_the_dashboards_address(
    lab: Lab, endpoint: tuple[str, str], context: BrowserContext
) -> None:
    page = context.new_page()
    troubles = watch(page)
    right = f"{lab.mlflow_url}/gateway/mlflow/v1"
    page.goto(f"{lab.mlflow_url}/#/gateway/endpoints/{endpoint[0]}")
    code = page.locator("pre").last
    expect(code).to_contain_text(f"{right}/chat/completions")
    note = page.locator("[data-gateway-note]").last
    expect(note).to_contain_text("MLFLOW_GATEWAY_URI")
    page.get_by_text("Python", exact=True).first.click()
    expect(code).to_contain_text(f'base_url="{right}"')
    expect(note).to_be_visible()
    picture(page, "gateway-endpoint")
    page.locator("[data-component-id*='copy']").last.click()
    page.wait_for_function(
        "right => navigator.clipboard.readText().then(text => text.includes(right))", arg=right
    )
    page.get_by_role("button", name="Try in Browser").click()
    with page.expect_response(f"**/{CHAT_PATH}") as response:
        page.get_by_role("button", name="Send request").click()
    assert response.value.status == 200
    assert response.value.url == f"{right}/chat/completions"
    assert troubles == []


@needs_no_more
def test_the_assistant_answers_when_it_is_opened(
    lab: Lab, endpoint: tuple[str, str], context: BrowserContext
) -> None:
    selected = {"providers": {"mlflow_gateway": {"selected": True, "model": "chat"}}}
    lab.session.put(f"{lab.mlflow_url}{ASSISTANT}/config", json=selected, timeout=30)
    page = context.new_page()
    troubles = watch(page)
    page.goto(f"{lab.mlflow_url}/#/experiments")
    expect(page.get_by_role("link", name="Default")).to_be_visible()
    question = page.get_by_placeholder("Ask a question...")
    expect(question).to_have_count(0)
    page.get_by_role("button", name=re.compile("Assistant")).last.click()
    question.fill("Hello")
    question.press("Enter")
    expect(page.get_by_text("".join(WORDS))).to_be_visible()
    picture(page, "assistant")
    assert troubles == []


def test_the_assistant_is_for_those_who_may_run_code(lab: Lab, endpoint: tuple[str, str]) -> None:
    forged = {"X-Without-Kernels": "", MAY_EXECUTE: "true"}
    assert ask_assistant(lab, **forged).status_code == 403
    assert ask_assistant(lab).status_code == 200
    assert lab.get("/health", headers=forged).ok
