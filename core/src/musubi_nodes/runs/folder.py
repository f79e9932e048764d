"""The folder of one run: the whole state of the run lies here, so that every reader sees the same."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from musubi_nodes.files import write_json, write_text

Status = Literal["running", "done", "stopped", "cancelled", "failed"]


@dataclass(frozen=True)
class RunFolder:
    """``<output>/musubi/runs/<time>-<node>-<id>``: command, log, metrics, status, and what came out."""

    path: Path

    @classmethod
    def create(cls, output: Path, node: str) -> RunFolder:
        """A new, empty run folder below ``output``."""
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{node}-{uuid4().hex[:6]}"
        path = output / "musubi" / "runs" / name
        (path / "out").mkdir(parents=True)
        return cls(path)

    @property
    def log(self) -> Path:
        """Everything that the process printed, byte for byte."""
        return self.path / "log.txt"

    @property
    def out(self) -> Path:
        """Where musubi-tuner writes."""
        return self.path / "out"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: step, loss, time."""
        return self.path / "metrics.jsonl"

    def write_command(self, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        """``command.json`` and a script that runs the same command again."""
        values = {"command": list(command), "cwd": str(cwd), "environment": dict(environment)}
        write_json(self.path / "command.json", values)
        if os.name == "nt":
            lines = [f'$env:{k} = "{v}"' for k, v in environment.items()]
            lines += [f'Set-Location "{cwd}"', "& " + subprocess.list2cmdline(command)]
            write_text(self.path / "command.ps1", "\n".join(lines) + "\n")
            return
        exports = [f"export {k}={shlex.quote(v)}" for k, v in environment.items()]
        text = "\n".join(["#!/bin/sh", *exports, f"cd {shlex.quote(str(cwd))}", "exec " + shlex.join(command)])
        write_text(self.path / "command.sh", text + "\n").chmod(0o755)

    def write_status(self, status: Status, **details: Any) -> None:
        """Replace ``status.json``; readers never see half of it."""
        write_json(self.path / "status.json", {"status": status, "time": time.time(), **details})

    def status(self) -> dict[str, Any]:
        """What ``status.json`` says; ``{"status": "unknown"}`` where it cannot be read."""
        try:
            return dict(json.loads((self.path / "status.json").read_text("utf-8")))
        except (OSError, ValueError):
            return {"status": "unknown"}


def run_folders(output: Path) -> Iterator[RunFolder]:
    """All run folders below ``output``, newest first."""
    runs = output / "musubi" / "runs"
    if runs.is_dir():
        yield from (RunFolder(p) for p in sorted(runs.iterdir(), reverse=True) if p.is_dir())
