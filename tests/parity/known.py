"""Differences that are meant: where, what, and why. Each is an expression.

A difference is a line of the side that has it, e.g. `tile: 404 GET api/…`.
"""

KNOWN: tuple[tuple[str, str, str], ...] = ()
