"""Masks passwords and tokens in what is shown or logged.

URIs are shown when they are wrong, so what a typo makes of a URI is masked as well: a missing
colon, slash or scheme.
"""

import re

# Up to the last `@` of the word, because a password may hold characters that should have been
# percent-encoded. A port followed by a path with an `@` in it is not a password.
AFTER_SLASH = re.compile(r"(?<=/)([^\s:/@'\"]*):(?!\d*/)\S+@")
WITHOUT_SCHEME = re.compile(
    r"(?<![\w/.@%+-])(?!(?:file|sqlite[\w+]*):)([^\s:/@'\"{}\[\](),;=]+):(?!//)[^\s'\"{}\[\](),;]+@"
)
# GitHub's and others' tokens stand in the place of a user.
TOKEN = re.compile(r"(?<!\w)(https?:?/{1,2})[^\s:/@'\"]+@", re.IGNORECASE)
PARAMETER = re.compile(
    r"(?<!\w)(\w*(?:passw|passphrase|pwd|secret|token|credential|(?:api|access|private)_?key)\w*"
    r"|odbc_connect)=(?:'[^']*'|\"[^\"]*\"|[^&\s'\"]+)",
    re.IGNORECASE,
)
# The whole of a URI, whose password may hold blanks, or digits and a slash like a port.
WHOLE = re.compile(
    r"(?!(?:file|sqlite[\w+]*):(?!/{1,2}[^/]))((?:[A-Za-z][\w+.-]*:?/{1,3})?[^:/@]*):(?!//).+@",
    re.DOTALL,
)


def mask_passwords(text: str) -> str:
    """Mask the passwords and tokens of all URIs and parameters in `text`; idempotent."""
    text = AFTER_SLASH.sub(r"\1:***@", text)
    text = WITHOUT_SCHEME.sub(r"\1:***@", text)
    text = TOKEN.sub(r"\1***@", text)
    return PARAMETER.sub(r"\1=***", text)


def mask_uri(uri: str) -> str:
    """Mask the password or token of `uri`."""
    return mask_passwords(WHOLE.sub(r"\1:***@", uri, count=1) if WHOLE.match(uri) else uri)
