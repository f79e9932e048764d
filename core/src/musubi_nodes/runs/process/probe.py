"""Queries to an install's Python."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import Any

from musubi_nodes import children
from musubi_nodes.parsing import MOST_LISTS, parse_json
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.environment import child_environment
from musubi_nodes.runs.process.masking import masked, secret_values


@dataclass(frozen=True)
class Answer:
    found: dict[str, Any] = field(default_factory=dict)
    why: str = ""


def ask_python(install: Install, code: str, seconds: float) -> Answer:
    """Run ``code``, which prints JSON, for at most ``seconds``."""
    try:
        command, environment = [str(install.python), "-c", code], child_environment(install)
        done = children.run(command, seconds=seconds, env=environment, cwd=install.root)  # -c imports from there first
        if done.returncode:
            shown = masked(done.stderr, secret_values(environment))
            said = shown.decode("utf-8", "replace").strip().splitlines()
            return Answer(why=said[-1] if said else f"it ended with code {done.returncode}")
        lines = done.stdout.splitlines()  # a sitecustomize may print first
        return Answer(dict(parse_json(lines[-1].decode(), MOST_LISTS))) if lines else Answer(why="it printed nothing")
    except subprocess.TimeoutExpired:
        return Answer(why=f"it gave no answer within {seconds:g} s")
    except (OSError, ValueError, TypeError) as error:
        return Answer(why=f"{type(error).__name__}: {error}")
