"""What Jupyter answers below `/mlflow/`, and how it exchanges requests with MLflow."""
