"""Masks passwords in what is shown or logged. Asked by the supervisor and by the MLflow process."""

from __future__ import annotations

import re

# Up to the last `@` of the word: a password may hold what should have been percent-encoded in it.
# Only a port with a path behind it, and an `@` in that, is none.
IN_TEXT = re.compile(r"(?<=://)([^\s:/@]*):(?!\d*/)\S+@")
IN_URI = re.compile(r"(?<=://)([^\s:/@]*):.+@", re.DOTALL)
IN_QUERY = re.compile(r"([?&](?:password|passwd|pwd|odbc_connect)=)[^&\s'\"]+", re.IGNORECASE)


def mask_passwords(text: str) -> str:
    """Replace the password of every URI in `text`."""
    return IN_QUERY.sub(r"\1***", IN_TEXT.sub(r"\1:***@", text))


def mask_uri(uri: str) -> str:
    """Replace the password of `uri`, whatever is in it: spaces, a port's digits and a slash."""
    return IN_QUERY.sub(r"\1***", IN_URI.sub(r"\1:***@", uri))
