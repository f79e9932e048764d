"""Nodes in tests: a terminal host, an output folder, and datasets."""

from __future__ import annotations

import io
import json
import shutil
import struct
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from musubi_nodes.families.context import Context
from musubi_nodes.families.node import Node, run_node
from musubi_nodes.files import write_bytes
from musubi_nodes.hosts.terminal.host import TerminalHost
from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.plugins.manager import Plugins, plugins

SIZE = (96, 64)
TOML = """[general]
resolution = [96, 64]
caption_extension = ".txt"
batch_size = 1
enable_bucket = true

[[datasets]]
image_directory = '{folder}'
"""


class Workplace:
    """Runs single nodes on the configured install."""

    def __init__(self, folder: Path, services: Plugins | None = None) -> None:
        self.folder = folder
        self.services = services or plugins()
        self.host = TerminalHost(folder / "output", self.services.config, io.StringIO())
        self.texts: list[str] = []
        self._before = 0

    def node(self, name: str) -> type[Node]:
        """Find a node by id, with or without ``MusubiTuner_``."""
        wanted = {name, f"MusubiTuner_{name}"}
        return next(node for node in self.services.nodes if node.id in wanted)

    def run(self, name: str, /, **values: Any) -> Any:
        """Run one node and return its outputs.

        A list output with one item becomes that item, an empty one ``None``.
        """
        node = self.node(name)
        context = Context(self.host, self.services, node.title)
        outputs = run_node(node, node.parse(values), context)
        self.texts = context.texts
        lists = {spec.name: getattr(outputs, spec.name) for spec in node.outputs() if spec.listed}
        single = {name: next(iter(found), None) for name, found in lists.items() if len(found) < 2}
        return outputs.model_copy(update=single)

    def started(self) -> list[Path]:
        """Return run folders with a process, oldest first."""
        records = self.folder.glob("output/musubi/runs/*/process.json")
        return [record.parent for record in sorted(records, key=lambda path: path.stat().st_mtime_ns)]

    def misbehaving(self, script: str, code: str) -> None:
        """Run ``code`` before the miniature's ``script`` with argv ``words``."""
        checkout = self.services.install("miniature").root
        source = self.folder / "misbehaving" / "src" / "musubi_tuner"
        source.mkdir(parents=True)
        real = checkout / "src" / "musubi_tuner"
        for file in real.glob("*.py"):
            before = code if file.name == script else ""
            (source / file.name).write_text(
                f"import runpy, sys\nwords = sys.argv\nsys.path.insert(0, {str(real.parent)!r})\n{before}\n"
                f"sys.argv[0] = {str(file)!r}\nrunpy.run_path(sys.argv[0], run_name='__main__')\n",
                "utf-8",
            )
        shutil.copytree(real.parent / "accelerate", source.parent / "accelerate")
        install = replace(self.services.install("miniature"), root=source.parents[1])
        self.services.install = lambda name=None: install  # type: ignore[method-assign]

    def forget_generated(self) -> None:
        shutil.rmtree(self.host.output_folder / "musubi" / "generated", ignore_errors=True)

    def forget(self) -> None:
        """Don't count earlier runs."""
        self._before = len(self.started())

    def started_since(self) -> list[Path]:
        return self.started()[self._before :]

    def published(self) -> list[Path]:
        return sorted(self.folder.glob("output/models/loras/musubi/*"))

    def dataset(self, name: str = "pictures", count: int = 4, toml: str = TOML) -> Path:
        from PIL import Image

        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture = Image.new("RGB", SIZE, (40 * number + 30, 90, 200 - 40 * number))
            picture.paste((250, 240, 10 * number), (8 + 9 * number, 12, 40 + 9 * number, 44))
            picture.save(folder / f"p{number}.png")
            (folder / f"p{number}.txt").write_text(f"a square, number {number}", "utf-8")
        path = self.folder / f"{name}.toml"
        path.write_text(toml.replace("{folder}", folder.as_posix()), "utf-8")
        return path

    def controlled(self, name: str = "pictures", count: int = 4) -> Path:
        """Write a dataset whose pictures have a control picture each."""
        path, control = self.dataset(name, count), self.dataset("control", count).with_suffix("")
        line = f"control_directory = '{control.as_posix()}'\n"
        path.write_text(path.read_text("utf-8") + line, "utf-8")
        return path

    def picture(self, count: int = 1) -> ImageFiles:
        """Return pictures as a node hands them on."""
        self.dataset("shown", count)
        return ImageFiles(tuple(self.folder / "shown" / f"p{number}.png" for number in range(count)))

    def command(self) -> list[str]:
        words: list[str] = json.loads((self.started()[-1] / "command.json").read_text("utf-8"))["command"]
        return words

    def weights(self, kind: str, name: str, **shapes: tuple[int, ...]) -> Path:
        """Write a safetensors file of ones."""
        header: dict[str, Any] = {}
        end = 0
        for tensor, shape in shapes.items():
            begin, end = end, end + 4 * prod(shape)
            header[tensor] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        text = json.dumps(header).encode()
        ones = struct.pack("<f", 1) * (end // 4)
        path = self.host.output_folder / "models" / kind / name
        return write_bytes(path, struct.pack("<Q", len(text)) + text + ones)

    def lora(self, *modules: str, name: str = "lora.safetensors", width: int = 64, other: bool = False) -> Any:
        """Select a new LoRA of square ``modules``; ``other``: ComfyUI's format."""
        prefix, halves = ("diffusion_model.", ("A", "B")) if other else ("lora_unet_", ("down", "up"))
        shapes = dict(zip(halves, ((4, width), (width, 4)), strict=True))
        pairs = {f"{prefix}{m}.lora_{half}.weight": shape for m in modules for half, shape in shapes.items()}
        self.weights("loras", name, **pairs)
        return self.run("LoRASelect", lora=name).lora

    def settings(self, name: str, **values: Any) -> Any:
        return next(iter(dict(self.run(name, **values)).values()))

    def load(self, path: Path, **values: Any) -> Any:
        return self.run("DatasetConfigLoader", path=str(path), **values).dataset
