"""Jupyter glue: describes MLflow to the Jupyter server, decides nothing, imports nothing heavy."""
