"""The folder with the whole state of one run."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from musubi_nodes.budget import limited_by
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import SAFE_NAME, is_own, overwrite_json, read_json, write_json, write_text
from musubi_nodes.runs.record.disk import disk_error
from musubi_nodes.runs.record.heartbeat import beating, has_ended, is_gone, last_beat, this_host
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.values import Status, values_of

RESUMED = "resumed.json"  # ``state``, ``step`` and ``epoch`` that a run resumes

TIME = "%Y%m%d-%H%M%S-%f"  # in names, down to the millisecond: names sort by time


class Done(NamedTuple):
    steps: int = 0
    epochs: int = 0


@dataclass(frozen=True)
class RunFolder:
    """``<output>/musubi/runs/<time>-<node>-<id>``."""

    path: Path

    @classmethod
    @contextmanager
    def opened(
        cls,
        output: Path,
        node: str,
        origin: Mapping[str, str] | None = None,
        cancels: Callable[[BaseException], bool] = lambda _: False,
    ) -> Iterator[RunFolder]:
        """Provide a new run folder; see :meth:`ending`.

        ``origin``: ComfyUI's ``class``, ``node`` ("2:1" in a subgraph), ``prompt``,
        ``workflow``, and the ``family``.
        """
        folder = cls.create(output, node)
        with folder.ending(cancels), beating(folder.path):
            write_json(folder.path / "origin.json", {"time": time.time(), **(origin or {})})
            folder.write_status("running", **this_host())
            yield folder

    @contextmanager
    def ending(self, cancels: Callable[[BaseException], bool] = lambda _: False, **details: Any) -> Iterator[None]:
        """Record in the status how the block ended.

        ``cancels`` recognises a user's cancel. A failed write becomes MusubiError; an OSError
        without errno is a host's own.
        """
        try:
            yield
        except BaseException as error:
            cancelled = cancels(error) or not isinstance(error, Exception)
            full = isinstance(error, OSError) and error.errno is not None and not cancelled
            shown = disk_error(error, self.path) if full else error  # type: ignore[arg-type]
            with limited_by(None):  # a second cancel would leave it running forever
                if self.status()["status"] not in ("failed", "cancelled"):
                    said = {} if cancelled else _said(shown)
                    self.write_end("cancelled" if cancelled else "failed", **details, **said)
            if shown is error:
                raise
            raise shown from error

    def write_end(self, status: Status, **details: Any) -> None:
        """Write the status, in place if the disk is full."""
        with contextlib.suppress(OSError):
            if self.path.is_dir():
                try:
                    self.write_status(status, **details)
                except OSError:
                    overwrite_json(self.path / "status.json", _status(status, details))

    @classmethod
    def create(cls, output: Path, node: str) -> RunFolder:
        path = runs_of(output) / f"{_next_time(runs_of(output))}-{_in_name(node)}-{uuid4().hex[:6]}"
        try:
            (path / "out").mkdir(parents=True)
        except OSError as error:
            fix = "Free some space, or make the output folder writable."
            raise MusubiError(
                "folder-not-writable", f"the run folder {path} cannot be made: {error}", fix=fix
            ) from error
        return cls(path)

    def deleted(self, meanwhile: str) -> MusubiError:
        return MusubiError(
            "run-folder-deleted",
            f"the run folder {self.path} was deleted or moved while {meanwhile}",
            why="Its log and what it made are gone with it.",
            fix="Queue again, and leave run folders alone until their run has ended.",
        )

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def resources(self) -> Path:
        return self.path / "resources.jsonl"

    @property
    def has_metrics(self) -> bool:
        with contextlib.suppress(OSError):
            return self.metrics.stat().st_size > 0
        return False

    @property
    def before(self) -> Done:
        """What earlier runs did; musubi-tuner counts from 0 again."""
        found = self.read_json(RESUMED)
        steps, epochs = found.get("step"), found.get("epoch")
        return Done(steps, epochs) if steps is not None and epochs is not None else Done()

    @property
    def stop_request(self) -> Path:
        return self.path / "stop-after-save"

    @property
    def samples(self) -> Path:
        """``sample_images`` of training/trainer_base.py, v0.3.4."""
        return self.out / "sample"

    @property
    def samples_planned(self) -> bool:
        return (self.path / "prompts.json").is_file()

    def origin(self) -> dict[str, Any]:
        return self.read_json("origin.json")

    def write_progress(self, now: Progress, **more: Any) -> None:
        with contextlib.suppress(OSError):
            if self.path.is_dir():
                write_json(self.path / "progress.json", {**asdict(now), **more})

    def progress(self) -> dict[str, Any]:
        """Return the last progress, with steps of the training and GPU bytes."""
        return self.read_json("progress.json")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a file's valid values only; follow no link."""
        return values_of(name, read_json(self.path / name)) if is_own(self.path / name) else {}

    def has_ended(self, waiting: Callable[[], None]) -> bool:
        """Whether it has ended; takes up to 20 s for a remote run."""
        found = self.status()
        return found["status"] != "running" or has_ended(self.path, found, waiting)

    def ask_to_stop(self) -> None:
        status = self.status()["status"]
        if status != "running":
            raise MusubiError(
                "run-not-running",
                f"the run {self.path.name} is not running ({status})",
                fix="`musubi-nodes runs` lists them.",
            )
        write_text(self.stop_request, "")

    def write_status(self, status: Status, **details: Any) -> None:
        write_json(self.path / "status.json", _status(status, details))

    def note_made(self, name: str) -> None:
        with contextlib.suppress(OSError):
            if status := self.read_json("status.json"):
                write_json(self.path / "status.json", {**status, "made": name})

    def status(self) -> dict[str, Any]:
        """Return ``status.json``; a run whose host is gone counts as failed."""
        found = self.read_json("status.json")
        if not isinstance(found.get("status"), str):
            found["status"] = "unknown"
        if found["status"] == "running" and is_gone(self.path, found):
            ended = last_beat(self.path) or found.get("time")
            error = MusubiError("host-ended", "the program that ran it ended, and the run with it")
            return {**found, "status": "failed", "time": ended, **_said(error)}
        return found


def _status(status: Status, details: Mapping[str, object]) -> dict[str, Any]:
    return {"status": status, "time": time.time(), **details}


def _said(error: BaseException) -> dict[str, str]:
    return {"error": str(error), **({"code": error.code} if isinstance(error, MusubiError) else {})}


def _next_time(runs: Path) -> str:
    """Return the local time, but later than all runs, as clocks are set back."""
    now = _stamp(datetime.fromtimestamp(time.time()))
    names = [entry.name for entry in os.scandir(runs)] if runs.is_dir() else []
    later = sorted(name[: len(now)] for name in names if _is_ours(name) and name[: len(now)] >= now)
    for last in reversed(later):
        with contextlib.suppress(ValueError, OverflowError):
            return _stamp(datetime.strptime(last, TIME) + timedelta(milliseconds=1))
    return now


def _stamp(moment: datetime) -> str:
    return moment.strftime(TIME)[:-3]


def runs_of(output: Path) -> Path:
    return output / "musubi" / "runs"


def run_folders(output: Path, nodes: Collection[str] = ()) -> Iterator[RunFolder]:
    """Yield those of ``nodes``, newest first; no links."""
    runs, of = runs_of(output), set(map(_in_name, nodes))
    if runs.is_dir():
        found = (path for path in sorted(runs.iterdir(), reverse=True) if _is_ours(path.name))
        wanted = (path for path in found if not of or _node_of(path.name) in of)
        yield from (RunFolder(path) for path in wanted if is_own(path, stat.S_ISDIR))


def _in_name(node: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", node.removeprefix("MusubiTuner_"))[:80]


def _node_of(name: str) -> str:
    return name.rpartition("-")[0].rpartition("-")[2]


def _is_ours(name: str) -> bool:
    return bool(SAFE_NAME.fullmatch(name)) and not name.startswith(".")


def run_named(output: Path, name: str) -> RunFolder:
    runs = runs_of(output)
    folder = runs / name
    if not _is_ours(name) or not is_own(folder, stat.S_ISDIR):
        raise MusubiError("run-missing", f"there is no run {name[:120]!r}", fix="Name a folder of output/musubi/runs.")
    return RunFolder(folder)


def trainings(output: Path) -> Iterator[RunFolder]:
    return (folder for folder in run_folders(output) if folder.has_metrics)
