"""The MLflow process: MLflow's own application in one uvicorn worker.

It runs under any interpreter that has MLflow, with this package's folder but without its
dependencies. It therefore imports nothing of the Jupyter side.
"""
