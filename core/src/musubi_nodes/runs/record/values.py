"""Types of values in run folders; wrong ones count as missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from musubi_nodes.errors import printable
from musubi_nodes.json_types import Kind, fitting, table, text, texts, texts_by_name, whole
from musubi_nodes.parsing import is_number

Status = Literal["running", "done", "stopped", "cancelled", "failed"]


def process(value: object) -> bool:
    return type(value) is int and 0 < value < 1 << 31


def status(value: object) -> bool:
    return value in get_args(Status)


HOST: Mapping[str, Kind] = {"host": process, "machine": text, "place": text, "started": text}
ORIGIN: Mapping[str, Kind] = dict.fromkeys(("class", "family", "node", "prompt", "workflow"), text)
# What the page gets: of Progress, of the recorder and of the GPU.
PROGRESS: Mapping[str, Kind] = {
    **dict.fromkeys(("stage", "checkpoint", "message", "worker"), text),
    **dict.fromkeys(("current", "total", "epoch", "epochs", "step", "steps"), whole),
    **dict.fromkeys(("rate", "seconds_left", "loss", "lr", "silent"), is_number),
    **dict.fromkeys(("gpu_used", "gpu_total", "gpu_use"), whole),
}
SHOWN = ("status.json", "origin.json", "progress.json")  # their texts are for people: made printable
IDS = frozenset({"node", "prompt", "workflow"})  # compared, not shown
FILES: Mapping[str, Mapping[str, Kind]] = {
    "status.json": {
        **HOST, "status": status, "time": is_number, "error": text, "code": text, "made": text, "script": text,
        "peak_gpu_bytes": whole,
    },
    "origin.json": {**ORIGIN, "time": is_number},
    "progress.json": PROGRESS,
    "resumed.json": {"state": text, "step": whole, "epoch": whole},
    "process.json": {"pid": process, "guard": process, "started": is_number, "returncode": whole},
    "command.json": {"command": texts, "cwd": text, "environment": texts_by_name, "from_shell": texts},
    "training.json": {
        "key": text, "output_name": text, "settings": table, "dataset": text, "program": text,
        "max_train_epochs": whole, "max_train_steps": whole,
    },
    "stated.json": {
        "steps_per_epoch": whole, "steps": whole, "outputs": texts, "replaced": texts,
        "lacked_gpu_memory": lambda value: value is True,
    },
    "finished.json": {"key": text},
    "memory.json": {"family": text, "size": text, "shape": table, "estimate": lambda value: is_number(value) and value},
}  # fmt: skip


def values_of(name: str, found: Mapping[str, object]) -> dict[str, Any]:
    kept = fitting(found, FILES.get(name, {}))
    if name in SHOWN:
        shown = {key: printable(value) for key, value in kept.items() if isinstance(value, str) and key not in IDS}
        return kept | shown
    return kept
