"""The part of MLflow that a gateway's client may use, and the credential that opens only that.

A client of an OpenAI-compatible API sends an API key of its own, and MLflow's judges send none. The
credential is therefore a part of the address. An address may reach a log or a trace, so that it
opens the models of the gateway and nothing else.
"""

import hmac
import re

# No segment that could lead elsewhere, however often the path is decoded.
PATH = re.compile(
    r"/gateway(?:/(?!\.{1,2}(?:/|$))"
    r"(?:[\w.:~@!$&'()*+,;=-]|%(?!2[5EeFf]|5[Cc])[0-9A-Fa-f]{2})+)+",
    re.ASCII,
)


def gateway_credential(credential: str) -> str:
    """The credential for the gateway that belongs to `credential`, which it does not tell."""
    return hmac.new(credential.encode(), b"gateway", "sha256").hexdigest()


def is_gateway_path(path: str) -> bool:
    """Whether `path`, as received and below MLflow's address, is one of the gateway's."""
    return PATH.fullmatch(path) is not None
