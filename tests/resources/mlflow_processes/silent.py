"""Ends without a report; only its output says why."""

import sys

import common  # noqa: F401 (prints the output)

sys.exit(3)
