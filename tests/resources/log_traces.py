"""Create the store `MLFLOW_TRACKING_URI` with a trace, a judge that is on, and a model.

    python log_traces.py MODEL_SERVER

The gateway's endpoint `chat` asks the model server. Prints, as JSON, the experiment's id, the
trace's, and the judge as the dashboard sends it, for each of the models that it may ask.
"""

from __future__ import annotations

import json
import sys

import mlflow
from mlflow.entities import GatewayEndpointModelConfig, GatewayModelLinkageType
from mlflow.genai.judges import make_judge
from mlflow.tracking._tracking_service.utils import _get_store

DIRECT = "openai:/gpt-4o-mini"


def create_endpoint(api_base: str) -> None:
    """Create the gateway's endpoint `chat`."""
    store = _get_store()
    secret = store.create_gateway_secret(
        secret_name="key",
        secret_value={"api_key": "sk-of-the-tests"},
        provider="openai",
        auth_config={"api_base": api_base},
    )
    model = store.create_gateway_model_definition(
        name="model", secret_id=secret.secret_id, provider="openai", model_name="gpt-4o-mini"
    )
    linked = GatewayEndpointModelConfig(
        model.model_definition_id, GatewayModelLinkageType.PRIMARY, weight=1.0
    )
    store.create_gateway_endpoint(name="chat", model_configs=[linked], usage_tracking=False)


def judge_of(model: str) -> str:
    """A judge that asks `model`, as the dashboard sends it."""
    instructions = "Is {{ outputs }} polite?"
    judge = make_judge(
        name="polite", instructions=instructions, model=DIRECT, feedback_value_type=bool
    )
    # MLflow 3.10 makes a judge of the gateway only where LiteLLM is installed.
    return json.dumps(judge.model_dump()).replace(DIRECT, model)


experiment_id = mlflow.set_experiment("chats").experiment_id
with mlflow.start_span("chat") as span:
    span.set_inputs({"question": "Would you help me, please?"})
    span.set_outputs({"answer": "With pleasure."})
mlflow.flush_trace_async_logging()
create_endpoint(sys.argv[1])
judges = {"direct": judge_of(DIRECT), "gateway": judge_of("gateway:/chat")}
_get_store().register_scorer(experiment_id, "polite", judges["gateway"])
_get_store().upsert_online_scoring_config(experiment_id, "polite", sample_rate=1.0)
print(json.dumps({"experiment_id": experiment_id, "trace_id": span.trace_id, "judges": judges}))
