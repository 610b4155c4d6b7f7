"""Masks passwords in what is shown or logged; for the supervisor and the MLflow process."""

import re

# Up to the last `@` of the word, because a password may hold characters that should have been
# percent-encoded. A port followed by a path with an `@` in it is not a password.
IN_TEXT = re.compile(r"(?<=://)([^\s:/@]*):(?!\d*/)\S+@")
IN_URI = re.compile(r"(?<=://)([^\s:/@]*):.+@", re.DOTALL)
IN_QUERY = re.compile(r"([?&](?:password|passwd|pwd|odbc_connect)=)[^&\s'\"]+", re.IGNORECASE)


def mask_passwords(text: str) -> str:
    """Mask the password of every URI in `text`."""
    return IN_QUERY.sub(r"\1***", IN_TEXT.sub(r"\1:***@", text))


def mask_uri(uri: str) -> str:
    """Mask the password of `uri`, which may hold blanks, or digits and a slash like a port."""
    return IN_QUERY.sub(r"\1***", IN_URI.sub(r"\1:***@", uri))
