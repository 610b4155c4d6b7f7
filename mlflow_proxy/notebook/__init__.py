"""What the package does in kernels. MLflow loads it there; of ours it imports `shared` only.

`plugin` is what MLflow loads, `own_store` opens the dashboard's store, `cell_log` records what a
cell logs to it, `display` shows that below the cell, `import_notice` tells Jupyter of the import.
"""
