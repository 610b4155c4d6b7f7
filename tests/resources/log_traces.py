"""Create the store `MLFLOW_TRACKING_URI` with an experiment, a trace and a judge.

Prints, as JSON, the experiment's id, the trace's, and the judge as the dashboard sends it.
"""

from __future__ import annotations

import json
import sys

import mlflow
from mlflow.genai.judges import make_judge

experiment_id = mlflow.set_experiment("chats").experiment_id
with mlflow.start_span("chat") as span:
    span.set_inputs({"question": "Would you help me, please?"})
    span.set_outputs({"answer": "With pleasure."})
trace_id = span.trace_id
mlflow.flush_trace_async_logging()
judge = make_judge(
    name="polite",
    instructions="Is {{ outputs }} polite?",
    model=sys.argv[1],
    feedback_value_type=bool,
)
judge = json.dumps(judge.model_dump())
print(json.dumps({"experiment_id": experiment_id, "trace_id": trace_id, "judge": judge}))
