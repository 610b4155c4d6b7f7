"""What the package does in kernels. MLflow loads it there; of ours it imports little else.

`plugin` is what MLflow loads, `credential` sends the credential for the user's own address nowhere
else, `own_store` opens the dashboard's store and records what a cell logs to it, `display` shows
that below the cell, `source` names the notebook and keeps it with its runs, `import_notice` tells
Jupyter of the import.
"""
