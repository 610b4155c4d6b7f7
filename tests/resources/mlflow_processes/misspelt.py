"""Sends reports of another version of the package, then serves."""

import common

for line in (b'{"report": "StageEntered", "stage": "imprt"}', b'{"report": "Redy"}', b"nonsense"):
    common.reporter._socket.sendall(line + b"\n")
common.serve()
