"""Hostile files in queued workflows: how long a real ComfyUI (COMFYUI_ROOT) answers, for that and for anything else."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.common import Row, quantile

LIMIT = 0.2
ROUTES = (
    "/musubi/runs",
    "/musubi/plugins",
    "/object_info/MusubiTuner_VideoInput",
    "/object_info/MusubiTuner_WanModels",
)
"""What the page asks for beside the queue."""
PAUSE = 0.02


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """Nothing without a ComfyUI."""
    if not os.environ.get("COMFYUI_ROOT"):
        return
    from tests.real.comfy import start

    comfy = start(folder / "server", "")
    try:
        yield from _measured(comfy, 5 if quick else 25, (1 << 28) if quick else 3_300_000_000)
    finally:
        comfy.end()


def _measured(comfy: Any, times: int, film: int) -> Iterator[Row]:
    plain, plain_others = _asked(comfy, _graph("BatchProcessor", text="a cat"), times)
    queued, others, worst = [], [], ("", 0.0)
    for name, graph in _graphs(comfy.folder, film).items():
        took, beside = _asked(comfy, graph, times)
        queued += took
        others += beside
        worst = max(worst, (name, max(took)), key=lambda each: each[1])
    anchor = f"{quantile(plain, 0.99):.3g} s, a harmless workflow"
    yield Row("queueing a workflow with a hostile file, p99", quantile(queued, 0.99), "s", LIMIT, anchor)
    yield Row(f"the same, worst ({worst[0]})", worst[1], "s")
    anchor = f"{quantile(plain_others, 0.99):.3g} s, a harmless workflow"
    yield Row("any other answer meanwhile, p99", quantile(others, 0.99), "s", LIMIT, anchor)


def _asked(comfy: Any, graph: dict[str, Any], times: int) -> tuple[list[float], list[float]]:
    """Seconds of each queueing, and of each other answer meanwhile; what was queued is cancelled at once."""
    queued: list[float] = []
    others: list[float] = []
    over = threading.Event()
    asking = threading.Thread(target=_ask, args=(comfy, over, others))
    asking.start()
    try:
        for _ in range(times):
            queued.append(_seconds(lambda: comfy.post("/prompt", {"prompt": graph})))
            comfy.post("/queue", {"clear": True})
            comfy.post("/interrupt", {})
            time.sleep(PAUSE)
    finally:
        over.set()
        asking.join()
    return queued, others


def _ask(comfy: Any, over: threading.Event, took: list[float]) -> None:
    while not over.wait(PAUSE):
        for route in ROUTES:
            took.append(_seconds(lambda route=route: comfy.get(route)))  # type: ignore[misc]


def _seconds(ask: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def _graph(node: str, **inputs: Any) -> dict[str, Any]:
    return {
        "1": {"class_type": f"MusubiTuner_{node}", "inputs": inputs},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }


def _graphs(folder: Path, film: int) -> dict[str, dict[str, Any]]:
    """A workflow for each hostile file, by its name."""
    data, models = folder / "input", folder / "models"
    data.mkdir(exist_ok=True)
    found = {name: _reading(data / name, text) for name, text in _texts().items()}
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**4000] * 500, "data_offsets": [0, 4]}}).encode()
    for kind in ("diffusion_models", "vae", "text_encoders", "loras"):
        (models / kind).mkdir(parents=True, exist_ok=True)
        (models / kind / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    weights = {"dit": "x.safetensors", "vae": "x.safetensors", "t5": "x.safetensors", "task": "t2v-14B"}
    found["shapes.safetensors"] = _graph("WanModels", **weights)
    found["lora.safetensors"] = _graph("LoRASelect", lora="x.safetensors")
    _film(data / "film.ts", film)
    found["film.ts"] = _graph("VideoInput", file="film.ts")
    if os.name != "nt":
        os.mkfifo(data / "pipe.toml")
        found["pipe.toml"] = _graph("DatasetConfigLoader", path=str(data / "pipe.toml"))
        (data / "zero.csv").symlink_to("/dev/zero")
        found["zero.csv"] = _graph("BatchProcessor", file=str(data / "zero.csv"))
    return found


def _texts() -> dict[str, str]:
    entry, begin = "[[datasets]]\nimage_directory = '.'\n", "[general]\ncaption_extension = '.txt'\n"
    return {
        "datasets.toml": begin + entry * 3_000,
        "unknown.toml": begin + "".join(f"key_{number} = 1\n" for number in range(50_000)),
        "keys.toml": "a." * 100_000 + "a = 1",
        "deep.toml": f"a = {'[' * 100_000}",
        "sample.toml": begin + "[[datasets]]\nvideo_directory = '.'\nframe_sample = 100000000\n",
        "marks.txt": "¡" * 120_000,
        "columns.csv": ",".join(f"c{number}" for number in range(200_000)) + ",prompt\n",
        "deep.jsonl": "[" * 100_000,
        "rows.csv": "prompt,seed\n" + "".join(f"a cat,{number}\n" for number in range(9_999)),
    }


def _reading(path: Path, text: str) -> dict[str, Any]:
    path.write_bytes(text.encode("cp1252"))
    if path.suffix == ".toml":
        return _graph("DatasetConfigLoader", path=str(path))
    return _graph("BatchProcessor", file=str(path))


def _film(path: Path, size: int) -> None:
    """A film of ``size`` bytes: some seconds again and again, which a transport stream may hold."""
    from tests.moving import ffmpeg

    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x360:d=4", "-b:v", "8M", path)
    part = path.read_bytes()
    with path.open("ab") as file:
        while file.tell() < size:
            file.write(part)
