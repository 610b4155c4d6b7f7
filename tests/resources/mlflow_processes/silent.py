"""Exits with an error without reporting a failure; prints only a line of output."""

import sys

import common  # noqa: F401 (prints the output)

sys.exit(3)
