"""In a kernel's process: what MLflow shows below a cell. Imports nothing of the other layers."""
