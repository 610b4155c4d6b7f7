"""What is shown below a cell. MLflow loads it in kernels; of ours it imports `shared` only."""
