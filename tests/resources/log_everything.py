"""Log one item of each kind that the dashboard shows; print their ids as JSON."""

import json
import sys
import tempfile
import wave
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from PIL import Image

FEATURE = {
    "type": "Feature",
    "properties": {"name": "here"},
    "geometry": {"type": "Point", "coordinates": [8, 47]},
}
TEXTS = {
    "notes.md": "# Notes\n\n![picture](https://pictures.example/a.png)\n",
    "data.json": json.dumps({"a": [1, {"b": 2}]}),
    "table.csv": "a,b\n1,2\n3,4\n",
    "code.py": "print('code')\n",
    "text.txt": "text\n",
    "settings.yaml": "a: 1\n",
    "drawing.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    '<style>circle { fill: red }</style><circle r="9"/></svg>',
    "map.geojson": json.dumps({"type": "FeatureCollection", "features": [FEATURE]}),
    "page.html": """<!doctype html><title>Report</title><h1>Report</h1><p></p>
<script>document.querySelector("p").textContent = "drawn by a script";</script>
<script src="https://scripts.example/library.js"></script>""",
}


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str]) -> list[str]:
        return model_input


@mlflow.trace(span_type="CHAT_MODEL")
def answer(messages):
    message = {"role": "assistant", "content": "**42** ![picture](https://pictures.example/b.png)"}
    return {"choices": [{"message": message}]}


def write_files(folder):
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    Image.new("RGB", (64, 64), (200, 30, 30)).save(folder / "picture.png")
    Image.new("RGB", (64, 64), (30, 30, 200)).save(folder / "document.pdf")
    with wave.open(str(folder / "sound.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    (folder / "film.mp4").write_bytes(bytes(100))


def log_run(number, folder):
    with mlflow.start_run(run_name=f"run {number}") as run:
        mlflow.log_params({"depth": number, "rate": 0.1 * number})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + number), step=step)
            mlflow.log_metric("system/cpu_utilization_percentage", step, step=step)
            mlflow.log_image(np.full((16, 16, 3), 40 * step, np.uint8), key="picture", step=step)
        mlflow.log_artifacts(str(folder))
        mlflow.log_table({"question": ["a"], "answer": ["b"]}, "table.json")
        data = mlflow.data.from_pandas(pd.DataFrame({"x": [1]}), source="https://data.example/x")
        mlflow.log_input(data, context="training")
        mlflow.set_tag("mlflow.note.content", "![picture](https://pictures.example/c.png)")
        return run.info.run_id


with tempfile.TemporaryDirectory() as folder:
    write_files(Path(folder))
    experiment = mlflow.set_experiment("everything").experiment_id
    runs = [log_run(number, Path(folder)) for number in (1, 2, 3)]
with mlflow.start_run(run_id=runs[0]):
    mlflow.pyfunc.log_model(
        name="model", python_model=Echo(), registered_model_name="echo", pip_requirements=[]
    )
mlflow.genai.register_prompt("greeting", "Hello {{name}}")
answer([{"role": "user", "content": "How many?"}])
mlflow.flush_trace_async_logging()
trace = mlflow.get_last_active_trace_id()
sys.stdout.write("\n" + json.dumps({"experiment": experiment, "runs": runs, "trace": trace}))
