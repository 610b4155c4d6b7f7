"""Run the supervisor by its command line, with another child: FOLDER BEHAVIOUR OPTIONS."""

import sys
from pathlib import Path

sys.modules["ssl"] = None  # type: ignore[assignment]

from mlflow_proxy.supervisor import cli  # noqa: E402
from mlflow_proxy.supervisor.child import MLflowCommand  # noqa: E402

folder, behaviour, options = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
child = Path(__file__).with_name("child.py")
cli.MLflowCommand = lambda program, folder: MLflowCommand(  # type: ignore[assignment, misc]
    (sys.executable, str(child), behaviour, program[-1]), folder
)
sys.exit(
    cli.main(
        [
            f"--log-file={folder}/mlflow-proxy-0.log",
            f"--root-dir={folder}",
            "--start-timeout=2",
            *options,
        ]
    )
)
