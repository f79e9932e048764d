"""A failed script's own last error, without what it only printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from musubi_nodes.runs.record.lines import RECORD, bar
from musubi_nodes.runs.record.output import CONTINUED

TRACEBACK = "Traceback (most recent call last)"
LAUNCHER = ("subprocess.CalledProcessError", "torch.distributed.elastic")
"""Beginnings of accelerate's own error, below the trainer's."""
ERROR = re.compile(
    r"(?:[A-Za-z_][\w.]*\.)?\w*(?:Error|Exception|Invalid|Interrupt|Exit|OutOfMemory\w*|StopIteration)(?:$|[: ])"
    r"|[\w.-]+\.py: error: |(?:[A-Za-z_]\w*\.)+[A-Z]\w*: |Fatal Python error|cannot start "
)
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_INNER = (" ", "\t", TRACEBACK, CONTINUED, *_CHAINED)
_WHAT = "  what(): "  # an uncaught C++ exception
_RANK = re.compile(r"\[rank(\d{1,4})\]: ?", re.ASCII)  # PyTorch's prefix in distributed training


def statements(lines: Iterable[str]) -> list[str]:
    """Extract each process's last traceback, or its last words.

    Records, bars and indented lines may hold prompts or paths: left out.
    """
    said: dict[str, list[str]] = {"": []}
    for line in lines:
        rank = _RANK.match(line)
        if RECORD.match(line):
            said[""].clear()
        elif rank:
            said.setdefault(rank[1], []).append(line[rank.end() :])
        elif not bar(line):
            said[""].append(line)
    return [line for own in said.values() for line in _last_error(own)]


def above_launcher(lines: Sequence[str]) -> list[str]:
    return [line for block in _blocks(lines) if not _is_launchers(block) for line in block]


def _last_error(lines: Sequence[str]) -> list[str]:
    chain: list[str] = []
    for block in _blocks(lines):
        if _is_launchers(block):
            continue
        chained = bool(chain) and chain[-1].startswith(_CHAINED)
        chain = [*chain, *block] if chained or not block[0].startswith(TRACEBACK) else block
    return [line for line in chain if line.startswith(_WHAT) or not line.startswith(_INNER)]


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    starts = [number for number, line in enumerate(lines) if line.startswith(TRACEBACK)]
    bounds = [0, *starts, len(lines)]
    return [list(lines[a:b]) for a, b in pairwise(bounds) if a < b]


def _is_launchers(block: Sequence[str]) -> bool:
    return block[0].startswith(TRACEBACK) and any(line.startswith(LAUNCHER) for line in block)
