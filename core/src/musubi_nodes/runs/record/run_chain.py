"""The runs that one training took: it goes on from a state in a new run, which holds only what came since."""

from __future__ import annotations

import sys
from typing import NamedTuple

from musubi_nodes.errors import MusubiError
from musubi_nodes.runs.record.folder import RESUMED, Done, RunFolder, run_named

ALL = Done(sys.maxsize, sys.maxsize)


class Part(NamedTuple):
    """A run, and until where it counts: what it did later, the next run did anew."""

    run: RunFolder
    until: Done = ALL


def parts(run: RunFolder) -> list[Part]:
    """``run`` after those that it went on from, first to last. Before one that was deleted none is known."""
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
