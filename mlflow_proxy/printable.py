"""Text from elsewhere as it may be shown or logged: secrets masked, what others wrote quoted.

URIs are shown when they are wrong, so what a typo makes of a URI is masked as well: a missing
colon, slash or scheme. Text that others have written (in a store, a server's answer, a file's name)
could add sentences to a page, or lines to a log, that look as if they were ours.
"""

import re
import shlex

MAX_QUOTED = 500  # characters that are shown

# What is repeated has a bound, without which a hostile line would keep Jupyter busy for minutes.

# Up to the last `@` of the word, because a password may hold characters that should have been
# percent-encoded. A port followed by a path with an `@` in it is not a password.
AFTER_SLASH = re.compile(r"(?<=/)([^\s:/@'\"]*):(?!\d*/)\S{1,500}@")
WITHOUT_SCHEME = re.compile(
    r"(?<![\w/.@%+-])(?!(?:file|sqlite[\w+]*):)"
    r"([^\s:/@'\"{}\[\](),;=]{1,99}):(?!//)[^\s'\"{}\[\](),;]{1,500}@"
)
# GitHub's and others' tokens stand in the place of a user.
TOKEN = re.compile(r"(?<!\w)(https?:?/{1,2})[^\s:/@'\"]+@", re.IGNORECASE)
# Of a database's URI the password may have any character but for the beginning of the next URI.
IN_DATABASE_URI = re.compile(
    r"\b((?:postgres\w*|mysql|mariadb|mssql|oracle|redis|mongodb)(?:\+\w+)*://[^\s:/@'\"]*)"
    r":(?:(?!://).)+@",
    re.IGNORECASE,
)
SENSITIVE_NAME = (
    r"\w{0,50}(?:passw|passphrase|pwd|secret|token(?!iz|s)|credential|signature"
    r"|(?:api|access|private)[_-]?key)\w{0,50}|odbc_connect|sig|AWSAccessKeyId"
)
# A parameter of a URI, of a connection or of a file: `password=...`.
PARAMETER = re.compile(
    rf"(?<!\w)((?:{SENSITIVE_NAME})\s?=\s?)(?!…|\*)(?:'[^']*'|\"[^\"]*\"|[^&\s'\"]+)", re.IGNORECASE
)
# A field of JSON, also within JSON, of a dictionary or of YAML: `"password": "..."`. What follows
# in prose, after a colon that ends a sentence's part, is masked as well, up to the next blank.
FIELD = re.compile(
    rf"(?<![\w])((?P<quote>\\{{0,7}}['\"]?)(?:{SENSITIVE_NAME})(?P=quote)\s*:\s*)"
    r"(?:\\{1,7}(['\"])[^\\]{0,999}\\{1,7}\3"
    r"|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s,;'\"{}\[\]]+)",
    re.IGNORECASE,
)
# A header, in whatever form it was printed, to the end of its value.
HEADER = re.compile(
    r"(?<![\w])((?:proxy-)?authorization|x-api-key|api-key|x-xsrftoken)"
    r"(?P<between>\\{0,7}['\"]?\s*[:=,]\s*(?:b(?=['\"]))?\\{0,7}['\"]?)"
    r"(?:(?:bearer|basic|token|negotiate|digest)\s+)?"
    r"[^\s'\",;)}\]\\]+",
    re.IGNORECASE,
)
COOKIE = re.compile(r"(?<![\w])((?:set-)?cookie['\"]?\s*[:,]\s*['\"]?)[^'\"\n]+", re.IGNORECASE)
# An option of a command line: `--password ...`.
OPTION = re.compile(
    rf"(?<!\S)(--?(?:[\w-]{{0,50}}-)?(?:{SENSITIVE_NAME}))(?:\s+|=)(?!-)\S+", re.IGNORECASE
)
# The whole of a URI, whose password may hold blanks, or digits and a slash like a port.
WHOLE = re.compile(
    r"(?!(?:file|sqlite[\w+]*):(?!/{1,2}[^/]))((?:[A-Za-z][\w+.-]*:?/{1,3})?[^:/@]*):(?!//).+@",
    re.DOTALL,
)


def mask_passwords(text: str) -> str:
    """Mask the passwords, tokens and keys of URIs, parameters, fields, headers and options.

    It takes whole lines: what is cut off first may hide that it is a secret. Idempotent.
    """
    text = IN_DATABASE_URI.sub(r"\1:***@", text)
    text = AFTER_SLASH.sub(r"\1:***@", text)
    text = WITHOUT_SCHEME.sub(r"\1:***@", text)
    text = TOKEN.sub(r"\1***@", text)
    text = OPTION.sub(r"\1=***", text)
    text = HEADER.sub(r"\1\g<between>***", text)
    text = COOKIE.sub(r"\1***", text)
    text = FIELD.sub(r"\1***", text)
    return PARAMETER.sub(r"\1***", text)


def mask_uri(uri: str) -> str:
    """Mask the password or token of `uri`."""
    return mask_passwords(WHOLE.sub(r"\1:***@", uri, count=1) if WHOLE.match(uri) else uri)


def quoted(text: object) -> str:
    """`text` on one line: a single word as it is, anything else in quotes, what is long cut off."""
    plain, whole = str(text), escaped(str(text), kept="")
    shown = whole if len(whole) <= MAX_QUOTED else f"{whole[:MAX_QUOTED]}…"
    is_word = shown == plain and not set(plain) & {" ", '"'}
    return shown if is_word and plain else '"{}"'.format(shown.replace('"', '\\"'))


def quoted_argument(text: object) -> str:
    """`text` as an argument in a command line for a shell, which stays on its line."""
    plain = str(text)
    if plain.isprintable():
        return shlex.quote(plain)
    inner = escaped(plain.replace("\\", "\\\\").replace("'", "\\'"), kept="")
    return f"$'{inner}'"  # bash, zsh and ksh; the escapes are Python's as well


def escaped(text: str, kept: str = "\n\t") -> str:
    """`text` with control, bidirectional and other invisible characters escaped, but for `kept`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in kept else each.encode("unicode_escape").decode()
        for each in text
    )
