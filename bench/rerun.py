"""Queueing an unchanged graph again: dataset, both caches and a finished training, and no process is started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.batch import MINIATURE
from bench.common import Row, configured, told
from bench.dataset import forget_media, linked_dataset, pictures

from musubi_nodes.datasets.config.toml import load
from musubi_nodes.families.caches import node as cache_node
from musubi_nodes.families.context import Context
from musubi_nodes.families.training import execution as training_execution
from musubi_nodes.files import SETTLED_NS
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.run import Outcome
from musubi_nodes.testing.workplace import Workplace

LIMITS = {1_000: 0.2, 100_000: 3.0}
"""Seconds."""
Files = Mapping[str, tuple[str, list[Path]]]
"""By kind of cache: how the names end, and files to link to."""

EPOCH = {"max_train_epochs": 1, "learning_rate": 0.01}


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """The first queue is prepared: instead of hours of encoding, each item gets a link to a cache file that the
    miniature made, and the trainer a LoRA of the miniature; all else is what the nodes do. Then they are queued again,
    with everything forgotten that a restart forgets, and once more in the same program."""
    with configured(folder, 'install = "miniature"\n'):
        yield from _all_measured(folder, quick)


def _all_measured(folder: Path, quick: bool) -> Iterator[Row]:
    few = Workplace(folder / "few")
    lora = queue(few, few.dataset()).lora.path
    texts = sorted(few.folder.rglob("cache/**/*_te.safetensors"))
    latents = sorted(set(few.folder.rglob("cache/**/*.safetensors")) - set(texts))
    files = {"latent": ("_0960x0960_wan.safetensors", latents), "text": ("_wan_te.safetensors", texts)}
    made = pictures(folder / "pictures")
    for count in [1_000] if quick else LIMITS:
        yield from _measured(Workplace(folder / str(count)), count, made, files, lora)


def _measured(place: Workplace, count: int, made: list[Path], files: Files, lora: Path) -> Iterator[Row]:
    toml = linked_dataset(place.folder / "set", made, count)
    time.sleep(SETTLED_NS / 1e9 + 0.1)  # what was written a moment ago is always read again
    with prepared(files, lora):
        queue(place, toml)
    firsts, agains = [], []
    for _ in range(3):
        forget_media()
        firsts.append(_seconds(lambda: queue(place, toml)))
        agains.append(_seconds(lambda: queue(place, toml)))
    assert not place.started(), "a process was started"
    (first, clock), (again, _) = min(firsts), min(agains)
    anchor = f"{told(_floor(place.folder), 's')}, list its files and their state"
    yield Row(f"unchanged graph of {count:,} images, after a restart", first, "s", LIMITS[count], anchor)
    yield Row("the same, by the clock", clock, "s")
    yield Row("the same once more in the same program", again, "s", LIMITS[count])


def _floor(folder: Path) -> float:
    """Seconds of the processor for what no program can leave out."""
    start = time.process_time()
    folders = [str(folder)]
    for each in folders:
        with os.scandir(each) as entries:
            for entry in entries:
                entry.stat()
                if entry.is_dir():
                    folders.append(entry.path)
    return time.process_time() - start


def queue(place: Workplace, toml: Path) -> Any:
    """What ComfyUI does: it asks whether the dataset has changed, then runs the nodes in order."""
    loader = place.node("DatasetConfigLoader")
    loader().changed(loader.parse({"path": str(toml)}), Context(place.host, place.services))
    dataset, models = place.load(toml), place.run("WanModels", **MINIATURE).models
    latent = place.run("WanLatentCache", dataset=dataset, models=models).latent_cache
    text = place.run("WanTextEncoderCache", dataset=dataset, models=models).text_cache
    training = place.run("TrainingConfig", **EPOCH).training
    return place.run("WanLoRATrainer", models=models, latent_cache=latent, text_cache=text, training=training)


@contextmanager
def prepared(files: Files, lora: Path) -> Iterator[None]:
    """Nodes get their files by links instead of by processes."""

    def cached(node: Any, plan: Any, context: Any, folder: Any, owned: Any, totals: Any, accept: Any) -> Outcome:
        (part,) = load(Path(owned["dataset_config"])).datasets
        assert part.cache_directory and part.directory
        part.cache_directory.mkdir(parents=True, exist_ok=True)
        ending, originals = files[node.kind]
        for number, caption in enumerate(part.directory.glob("*.txt")):
            os.link(originals[number % len(originals)], part.cache_directory / f"{caption.stem}{ending}")
        return _accepted(accept)

    def trained(node: Any, plan: Any, context: Any, folder: Any, owned: Any, accept: Any) -> Outcome:
        os.link(lora, folder.out / f"{plan.inputs.output_name}.safetensors")
        return _accepted(accept)

    with patch.object(cache_node, "execute", cached), patch.object(training_execution, "execute", trained):
        yield


def _accepted(accept: Callable[[Outcome], None]) -> Outcome:
    outcome = Outcome(0.0, Progress())
    accept(outcome)
    return outcome


def _seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Of the processor, which other programs on the machine do not blur, and by the clock."""
    used, start = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - used, time.perf_counter() - start
