"""The runs of one training."""

from __future__ import annotations

import sys
from typing import NamedTuple

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import RESUMED, Done, RunFolder, run_named

ALL = Done(sys.maxsize, sys.maxsize)


class Part(NamedTuple):
    """A run, and how far it counts: the next one repeated later steps."""

    run: RunFolder
    until: Done = ALL


def parts(run: RunFolder) -> list[Part]:
    """List ``run`` and those before it, first to last."""
    found, seen = [Part(run)], {run.path.name}
    while (name := str(run.read_json(RESUMED).get("state", "")).partition("/")[0]) and name not in seen:
        seen.add(name)
        until = run.before
        try:
            run = run_named(run.path.parents[2], name)
        except MusubiError:
            break
        found.append(Part(run, until))
    return found[::-1]
