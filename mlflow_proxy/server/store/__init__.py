"""The store: which one it is, and the check, creation and upgrade of its database."""
