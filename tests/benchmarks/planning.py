"""A table for planning: memory, processor and connections for 10, 100 and 1,000 users of a hub.

    python tests/benchmarks/planning.py --users 10 100 1000

Measures on this machine what one user costs (planning_parts.py). Then it simulates the arrivals,
the use of the tile and the idle stops of working days, and prints the peaks. `--parts FILE` writes
the parts to a file, or reads those of an earlier run from it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common import versions
from planning_parts import Parts, measure

DAY = 24 * 60  # minutes
HEAD = """\
| users | servers | MLflow runs | memory (GB) | of it the tile | the tile, without idle stops \
| starts a minute | cores | connections |
| --: | --: | --: | --: | --: | --: | --: | --: | --: |"""


@dataclass(frozen=True)
class Habits:
    """What users do on a working day; all are defaults of options."""

    present: float = 0.8  # share of the users who work on a day
    arrival: float = 9 * 60  # minutes after midnight, the mean
    departure: float = 17.5 * 60
    spread: float = 60  # minutes, one standard deviation
    tile: float = 0.6  # share of the present users who open the tile at all
    uses: float = 5  # times that such a user turns to the dashboard in a day
    use: float = 8  # minutes that each lasts, the mean
    actions: float = 4  # clicks in the dashboard in a minute of use
    kernels: float = 1.0  # running kernels of a present user that have imported MLflow
    server_idle: float = 120  # minutes after which the hub stops a server
    idle_timeout: float = 30  # minutes after which MLflow is stopped


class Day:
    """The load of each minute of one day."""

    def __init__(self) -> None:
        self.servers: Counter[int] = Counter()
        self.opened: Counter[int] = Counter()  # the tile was opened
        self.running: Counter[int] = Counter()  # MLflow is up
        self.in_use: Counter[int] = Counter()
        self.first_starts: Counter[int] = Counter()
        self.later_starts: Counter[int] = Counter()

    def add_user(self, habits: Habits, dice: random.Random) -> None:
        """Add the day of one user."""
        if dice.random() >= habits.present:
            return
        came = dice.gauss(habits.arrival, habits.spread)
        left = max(came + 30, dice.gauss(habits.departure, habits.spread))
        ended = left + habits.server_idle
        add(self.servers, came, ended)
        if dice.random() >= habits.tile:
            return
        # Gaps of an exponential distribution: uses come independently of each other.
        at, stops, first = came, 0.0, True
        gap = (left - came) / habits.uses
        while (at := at + dice.expovariate(1 / gap)) < left:
            until = min(left, at + dice.expovariate(1 / habits.use))
            if first:
                add(self.opened, at, ended)
            if at > stops:
                (self.first_starts if first else self.later_starts)[int(at)] += 1
            add(self.in_use, at, until)
            add(self.running, max(at, stops), min(ended, until + habits.idle_timeout))
            stops, first, at = max(stops, until + habits.idle_timeout), False, until

    def memory(self, minute: int, parts: Parts, habits: Habits) -> tuple[float, float]:
        """MB of all, and of them MB that the tile costs."""
        servers = self.servers[minute]
        tile = servers * parts.never_opened
        tile += self.running[minute] * parts.mlflow
        return servers * (parts.jupyter + habits.kernels * parts.kernel) + tile, tile

    def cores(self, minute: int, parts: Parts, habits: Habits) -> float:
        """Cores that MLflow's starts and use keep busy."""
        seconds = self.first_starts[minute] * parts.first_start
        seconds += self.later_starts[minute] * parts.later_start
        seconds += self.in_use[minute] * habits.actions * parts.action
        return seconds / 60

    def connections(self, minute: int, parts: Parts, habits: Habits) -> float:
        """Connections to a PostgreSQL database that all users share."""
        tiles = self.running[minute] - self.in_use[minute]
        tiles_in_use = self.in_use[minute] * parts.connections_in_use
        kernels = self.servers[minute] * habits.kernels
        return tiles * parts.connections + tiles_in_use + kernels


def add(counter: Counter[int], start: float, end: float) -> None:
    """Count one more in each minute from `start` to `end`."""
    counter.update(range(int(start), int(end) + 1))


def row(users: int, days: int, parts: Parts, habits: Habits, dice: random.Random) -> str:
    """The peaks of the heaviest of `days` days of `users` users, formatted."""
    peaks: Counter[str] = Counter()
    for _ in range(days):
        day = Day()
        for _ in range(users):
            day.add_user(habits, dice)
        for minute in range(2 * DAY):
            memory, tile = day.memory(minute, parts, habits)
            never_stopped = tile + parts.mlflow * (day.opened[minute] - day.running[minute])
            values = {
                "servers": day.servers[minute],
                "running": day.running[minute],
                "memory": memory / 1000,
                "tile": tile / 1000,
                "never_stopped": never_stopped / 1000,
                "starts": day.first_starts[minute] + day.later_starts[minute],
                "cores": day.cores(minute, parts, habits),
                "connections": day.connections(minute, parts, habits),
            }
            for name, value in values.items():
                peaks[name] = max(peaks[name], value)  # type: ignore[assignment]
    shown = ("servers", "running", "memory", "tile", "never_stopped", "starts", "cores")
    digits = dict.fromkeys(("memory", "tile", "never_stopped", "cores"), 1)
    cells = [f"{peaks[name]:,.{digits.get(name, 0)}f}" for name in (*shown, "connections")]
    return f"| {users:,} | {' | '.join(cells)} |"


def options() -> argparse.Namespace:
    """Read the command line; each of `Habits` is an option."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--users", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--days", type=int, default=20, help="simulated days for each row")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    parser.add_argument("--parts", type=Path, help="file of the measured parts, as JSON")
    for name, value in asdict(Habits()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value)
    return parser.parse_args()


def main() -> int:
    """Measure, simulate and print."""
    chosen = options()
    if min(*chosen.users, chosen.days, 1) < 1:
        sys.exit("--users and --days take 1 or more")
    habits = Habits(**{name: getattr(chosen, name) for name in asdict(Habits())})
    if chosen.parts and chosen.parts.exists():
        parts = Parts(**json.loads(chosen.parts.read_text()))
    else:
        parts = measure()
        if chosen.parts:
            chosen.parts.write_text(json.dumps(asdict(parts)))
    print(parts.table())
    print(f"\n{HEAD}")
    for users in chosen.users:
        print(row(users, chosen.days, parts, habits, random.Random(chosen.seed)), flush=True)
    print(f"\nPeaks of {chosen.days} days. {habits}. {versions()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
