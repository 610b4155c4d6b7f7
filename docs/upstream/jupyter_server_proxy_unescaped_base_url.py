"""jupyter-server-proxy: the base URL is used as a regular expression.

    pip install jupyter-server-proxy && python jupyter_server_proxy_unescaped_base_url.py

Names of JupyterHub's users have dots, which are part of the base URL `/user/a.b/`. Expected: only
paths below it match. Seen: `/user/aXb/echo/` matches as well.
"""

import re

from jupyter_server_proxy.config import ServerProcess, make_handlers

(pattern, *_), *_ = make_handlers("/user/a.b/", [ServerProcess(name="echo", command=["true"])])
matches = {path: bool(re.match(pattern, path)) for path in ("/user/a.b/echo/", "/user/aXb/echo/")}
print(pattern, matches)
assert matches["/user/a.b/echo/"]
assert not matches["/user/aXb/echo/"]
