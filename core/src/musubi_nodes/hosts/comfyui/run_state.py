"""Bounded state of runs for the page, cheap to poll."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

from musubi_nodes.hosts.comfyui.view_url import view_url
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.rerun_script import pasted_command
from musubi_nodes.runs.record.samples import Sample, samples
from musubi_nodes.runs.record.series import COLUMNS, Point, Series
from musubi_nodes.runs.record.tail import Tail
from musubi_nodes.runs.record.values import PROGRESS

MOST_SAMPLES = 60
SEARCHED = 1_000
"""Limit of runs that a list by workflow looks through."""
LONGEST_TEXT = 4_000
LONGEST_COMMAND = 100_000


class Reader:
    def __init__(self, folder: RunFolder) -> None:
        self.lock = threading.Lock()
        self.series, self.tail = Series(folder.metrics), Tail(folder.log)


class Readers:
    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._found: OrderedDict[Path, Reader] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, folder: RunFolder) -> Reader:
        with self._lock:
            reader = self._found.setdefault(folder.path, Reader(folder))
            self._found.move_to_end(folder.path)
            if len(self._found) > self._most:
                self._found.popitem(last=False)
            return reader


_READERS = Readers()


def listed(output: Path, newest: int, classes: Collection[str] = (), workflow: str | None = None) -> dict[str, Any]:
    """List the newest runs, by class and workflow, of the last :data:`SEARCHED`.

    An active run that was queued without a page belongs to every workflow.
    """
    heads = map(_head, islice(run_folders(output, classes), SEARCHED))
    wanted = (
        head
        for head in heads
        if workflow in (None, head["workflow"]) or (not head["workflow"] and head["status"] == "running")
    )
    return {"runs": list(islice(wanted, newest))}


def state(folder: RunFolder, output: Path, after: int = -1, version: int = -1) -> dict[str, Any]:
    """Return all that a page shows of a run.

    Only points after step ``after``, unless thinned since ``version``.
    """
    reader = _READERS.of(folder)
    with reader.lock:
        reader.series.read()
        reader.tail.read()
        series, lines = reader.series, list(reader.tail.lines)
        whole = version != series.version
        kept = series.kept if whole else [point for point in series.kept if point["step"] > after]
        told = {
            "version": series.version,
            "whole": whole,
            "columns": COLUMNS,
            "points": [_values(point) for point in kept],
            "last": _values(series.last) if series.last else None,
        }
    made = samples(folder)
    return {
        **_head(folder),
        **told,
        "progress": _short(folder.progress()),
        "stop_asked": folder.stop_request.exists(),
        "log": lines,
        "samples": [_sample(each, output) for each in made[-MOST_SAMPLES:]],
        "samples_made": len(made),
        "samples_planned": folder.samples_planned or bool(made),
        **({"command": pasted_command(folder)[:LONGEST_COMMAND]} if whole else {}),
    }


def _head(folder: RunFolder) -> dict[str, Any]:
    origin, status = folder.origin(), folder.status()
    named = {name: origin.get(name, "")[:200] for name in ("class", "node", "prompt", "workflow")}
    return {
        "name": folder.path.name,
        **named,
        "started": origin.get("time"),
        "status": status["status"],
        "time": status.get("time"),
        "error": status.get("error", "")[:LONGEST_TEXT],
        "code": status.get("code", "")[:200],
        "made": status.get("made", "")[:200],
    }


def _short(progress: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in progress.items() if name in PROGRESS}
    return {name: value[:200] if isinstance(value, str) else value for name, value in known.items()}


def _values(point: Point) -> list[Any]:
    return [point.get(name) for name in COLUMNS]


def _sample(sample: Sample, output: Path) -> dict[str, Any]:
    return {
        **view_url(sample.path, output),
        "label": sample.label,
        "prompt": sample.prompt,
        "video": sample.is_video,
        "size": sample.size,
    }
