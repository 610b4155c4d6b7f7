"""Text that others have written (in a store, a server's answer, a file's name) among our own words.

It could otherwise add sentences to a page, or lines to a log, that look as if they were ours.
"""

import shlex

MAX_QUOTED = 500  # characters that are shown


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
