"""simpervisor: a process that fails at once is restarted at once, for ever.

    pip install simpervisor && python simpervisor_restart_without_pause.py

Expected: a pause that grows, or an end after some failures in a row. Seen: as many starts a second
as the machine can do.
"""

import asyncio
import tempfile
from pathlib import Path

from simpervisor import SupervisedProcess

SECONDS = 5


async def main() -> int:
    """Run a command that always fails; returns how often it was started."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "starts")
        process = SupervisedProcess("failing", "sh", "-c", f"echo started >> {log}; exit 1")
        await process.start()
        await asyncio.sleep(SECONDS)
        await process.terminate()
        return len(log.read_text().splitlines())


starts = asyncio.run(main())
print(f"{starts} starts in {SECONDS} s")
assert starts <= SECONDS
