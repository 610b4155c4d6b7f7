"""Hold locks of a store until the standard input ends.

    python hold_locks.py STORE_URI KEY ...

Prints, as JSON, which were free.
"""

import json
import sys

from mlflow_proxy.server.store.locks import Locks
from mlflow_proxy.stores import Store

uri, *keys = sys.argv[1:]
locks = Locks(Store.parse(uri))
print(json.dumps([key for key in keys if locks.acquire(key)]), flush=True)
sys.stdin.read()
locks.release_all()
