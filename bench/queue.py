"""Hostile files in queued workflows: how long a real ComfyUI (COMFYUI_ROOT) answers, for that and for anything else."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.common import Row, quantile, told

from musubi_nodes.families.prompts import MOST
from musubi_nodes.files import PROMPTS, TOML
from musubi_nodes.nodes.table_text import LONGEST_LINE
from musubi_nodes.parsing import LISTS

LIMIT = 0.2
ROUTES = (
    "/musubi/runs",
    "/musubi/plugins",
    "/object_info/MusubiTuner_VideoInput",
    "/object_info/MusubiTuner_WanModels",
)
"""What the page asks for beside the queue."""
PAUSE = 0.02
NOTING = """
import gc, sys, time

def note(phase, info):
    if sys._getframe(1).f_code.co_name == "prompt_worker":
        with open({path!r}, "a") as file:
            file.write(f"{{time.time()}}\\n")

gc.callbacks.append(note)
NODE_CLASS_MAPPINGS = {{}}
"""
"""A node pack that notes when ComfyUI itself has garbage collected, at most every ten seconds (prompt_worker of
main.py, 0.3.64 and 0.33): nothing at all answers meanwhile, whatever is queued."""

Span = tuple[float, float]


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """Nothing without a ComfyUI."""
    if not os.environ.get("COMFYUI_ROOT"):
        return
    from tests.real.comfy import start

    packs, collected = folder / "server" / "comfy" / "custom_nodes", folder / "collected"
    packs.mkdir(parents=True)
    (packs / "noting.py").write_text(NOTING.format(path=str(collected)), "utf-8")
    comfy = start(folder / "server", "")
    try:
        yield from _measured(comfy, collected, 2 if quick else 20, (1 << 28) if quick else 3_300_000_000)
    finally:
        comfy.end()


def _measured(comfy: Any, collected: Path, times: int, film: int) -> Iterator[Row]:
    """A block of a harmless workflow before each of a hostile one, so that other programs disturb both."""
    harmless = _graph("BatchProcessor", text="a cat")
    first, plain = _Answers(), _Answers()
    first.add(*_asked(comfy, harmless, 1))
    hostile: dict[str, _Answers] = {}
    for name, graph in _graphs(comfy.folder, film).items():
        plain.add(*_asked(comfy, harmless, times))
        hostile[name] = _Answers()
        hostile[name].add(*_asked(comfy, graph, times))
    collections = _collections(collected)
    for answers in (first, plain, *hostile.values()):
        answers.leave_out(collections)
    yield Row("the first answers after ComfyUI's start, slowest", quantile(first.queued + first.beside, 1), "s")
    for name, answers in hostile.items():
        beside = f"{told(quantile(answers.beside, 1), 's')}, other answers"
        yield Row(f"queueing {name}, slowest of {len(answers.queued)}", quantile(answers.queued, 1), "s", None, beside)
    for what, field in (("queueing a hostile file", "queued"), ("any other answer meanwhile", "beside")):
        found = [took for answers in hostile.values() for took in getattr(answers, field)]
        anchor = f"{told(quantile(getattr(plain, field), 0.99), 's')}, a harmless workflow"
        yield Row(f"{what}, p99 of {len(found)}", quantile(found, 0.99), "s", LIMIT, anchor)
    longest = max((_took(each) for each in collections), default=0.0)
    yield Row("left out: ComfyUI's own garbage collection, longest", longest, "s", None, f"{len(collections)} times")


class _Answers:
    """Seconds of each queueing, and of each other answer meanwhile."""

    def __init__(self) -> None:
        self._spans: tuple[list[Span], list[Span]] = [], []
        self.queued: list[float] = []
        self.beside: list[float] = []

    def add(self, queued: list[Span], beside: list[Span]) -> None:
        """More of them, as the times when they began and ended."""
        self._spans[0].extend(queued)
        self._spans[1].extend(beside)

    def leave_out(self, collections: list[Span]) -> None:
        """Count all but those that waited for one of ``collections``."""
        self.queued, self.beside = (
            [_took((begin, end)) for begin, end in spans if not any(a < end and begin < b for a, b in collections)]
            for spans in self._spans
        )


def _took(span: Span) -> float:
    return span[1] - span[0]


def _collections(noted: Path) -> list[Span]:
    times = [float(line) for line in noted.read_text("utf-8").split()] if noted.exists() else []
    return list(zip(times[::2], times[1::2], strict=False))


def _asked(comfy: Any, graph: dict[str, Any], times: int) -> tuple[list[Span], list[Span]]:
    """When each queueing began and ended, and each other answer meanwhile; what was queued is cancelled at once."""
    queued: list[Span] = []
    others: list[Span] = []
    over = threading.Event()
    asking = threading.Thread(target=_ask, args=(comfy, over, others))
    asking.start()
    try:
        for _ in range(times):
            queued.append(_span(lambda: comfy.post("/prompt", {"prompt": graph})))
            comfy.post("/queue", {"clear": True})
            comfy.post("/interrupt", {})
            time.sleep(PAUSE)
    finally:
        over.set()
        asking.join()
    return queued, others


def _ask(comfy: Any, over: threading.Event, took: list[Span]) -> None:
    while True:
        for route in ROUTES:
            took.append(_span(lambda route=route: comfy.get(route)))  # type: ignore[misc]
        if over.wait(PAUSE):
            return


def _span(ask: Callable[[], Any]) -> Span:
    begun = time.time()
    ask()
    return begun, time.time()


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
    text = json.dumps({"__metadata__": {str(number): "" for number in range(270_000)}}).encode()
    (models / "loras" / "texts.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    found["texts.safetensors"] = _graph("LoRASelect", lora="texts.safetensors")
    _film(data / "film.ts", film)
    found["film.ts"] = _graph("VideoInput", file="film.ts")
    if os.name != "nt":
        os.mkfifo(data / "pipe.toml")
        found["pipe.toml"] = _graph("DatasetConfigLoader", path=str(data / "pipe.toml"))
        (data / "zero.csv").symlink_to("/dev/zero")
        found["zero.csv"] = _graph("BatchProcessor", file=str(data / "zero.csv"))
    return found


def _texts() -> dict[str, str]:
    """As large as they may be, in bytes, lines, prompts and lists, or a little larger."""
    entry, begin = "[[datasets]]\nimage_directory = '.'\n", "[general]\ncaption_extension = '.txt'\n"
    toml, lines = TOML.most - 1_000, PROMPTS.most // LONGEST_LINE - 1
    return {
        "datasets.toml": begin + entry * (toml // len(entry)),
        "unknown.toml": begin + "".join(f"key_{number} = 1\n" for number in range(toml // 14)),
        "keys.toml": "a." * (toml // 2) + "a = 1",
        "deep.toml": f"a = {'[' * toml}",
        "sample.toml": begin + "[[datasets]]\nvideo_directory = '.'\nframe_sample = 100000000\n",
        "marks.txt": "¡" * (LONGEST_LINE - 1),
        "columns.csv": ",".join(f"c{number}" for number in range(LONGEST_LINE // 7)) + ",prompt\n",
        "deep.jsonl": "[" * (LONGEST_LINE - 1),
        "pairs.jsonl": f"[{'[],' * (LISTS - 2)}[]]\n" * (PROMPTS.most // LISTS // 4),
        "numbers.toml": f"a = [{'1,' * (toml // 2)}]",
        "letters.txt": f"{'é ' * (LONGEST_LINE // 2 - 1)}\n" * lines,
        "rows.csv": "prompt,seed\n" + "".join(f"a cat,{number}\n" for number in range(MOST)),
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
