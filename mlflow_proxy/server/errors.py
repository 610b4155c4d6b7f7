"""Other names of what is in `failures.py`, until their importers have moved."""

from .failures import COMMAND, StartError

__all__ = ["COMMAND", "StartError"]
