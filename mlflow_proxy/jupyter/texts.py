"""Texts that become arguments and variables of a program."""

import os

from traitlets import TraitError


def checked_text(text: str) -> str:
    """`text`, if a program can be given it.

    Raises:
        traitlets.TraitError: it cannot.
    """
    try:
        if b"\0" not in os.fsencode(text):
            return text
    except UnicodeEncodeError:
        pass
    raise TraitError("A program cannot be given this text")
