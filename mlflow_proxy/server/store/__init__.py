"""The store: which one it is, and the check, creation and repair of its database."""
