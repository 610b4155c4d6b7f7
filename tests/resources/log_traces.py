"""Create the store `MLFLOW_TRACKING_URI` with a trace, a judge that is on, and a model.

    python log_traces.py MODEL_SERVER

The gateway's endpoint `chat` asks the model server. Prints, as JSON, the experiment's id, the
trace's, and the judge as the dashboard sends it, for each of the models that it may ask.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import mlflow
from mlflow.entities import GatewayEndpointModelConfig, GatewayModelLinkageType
from mlflow.genai.judges import make_judge
from mlflow.genai.scorers import ScorerSamplingConfig
from mlflow.tracking._tracking_service.utils import _get_store


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


def judge_of(model: str) -> Any:
    """A judge that asks `model`."""
    return make_judge(
        name="polite",
        instructions="Is {{ outputs }} polite?",
        model=model,
        feedback_value_type=bool,
    )


experiment_id = mlflow.set_experiment("chats").experiment_id
with mlflow.start_span("chat") as span:
    span.set_inputs({"question": "Would you help me, please?"})
    span.set_outputs({"answer": "With pleasure."})
mlflow.flush_trace_async_logging()
create_endpoint(sys.argv[1])
on = judge_of("gateway:/chat").register(experiment_id=experiment_id)
on.start(experiment_id=experiment_id, sampling_config=ScorerSamplingConfig(sample_rate=1.0))
judges = {
    kind: json.dumps(judge_of(model).model_dump())
    for kind, model in (("direct", "openai:/gpt-4o-mini"), ("gateway", "gateway:/chat"))
}
print(json.dumps({"experiment_id": experiment_id, "trace_id": span.trace_id, "judges": judges}))
