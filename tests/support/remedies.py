"""Follow what a page tells a person to run."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

COMMAND = re.compile(r"^    (\S.*)$|Run: (.*)$", re.MULTILINE)


SETTING = re.compile(r"c\.MLflowProxy\.(\w+)")


def settings_in(remedy: str) -> list[str]:
    """The names of the settings in `remedy`."""
    return SETTING.findall(remedy)


def command_in(remedy: str) -> str:
    """The one command that `remedy` shows."""
    ((on_its_own_line, in_a_sentence),) = COMMAND.findall(remedy)
    return on_its_own_line or in_a_sentence


def follow(remedy: str, env: Mapping[str, str] | None = None) -> str:
    """Run the command that `remedy` shows, in any folder; returns the command."""
    command = command_in(remedy)
    result = subprocess.run(
        command, shell=True, cwd="/", env=env, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return command
