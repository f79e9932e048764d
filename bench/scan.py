"""Scanning and checking a large dataset, beside the bare floor and beside musubi-tuner's own reading."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from bench.common import Row, told
from bench.dataset import PICTURES, forget_media, link_pictures, linked_dataset, pictures, small_pictures

from musubi_nodes.datasets.checks.check import check
from musubi_nodes.datasets.config.toml import DatasetConfig, parse
from musubi_nodes.datasets.scan.fingerprint import fingerprint
from musubi_nodes.datasets.scan.scan import scan
from musubi_nodes.runs.install import load_install
from musubi_nodes.testing.workplace import Workplace

READ = """
import argparse, sys, time
from musubi_tuner.dataset import config_utils as c
user = c.load_user_config(sys.argv[1])
given = argparse.Namespace(debug_dataset=False)
made = c.BlueprintGenerator(c.ConfigSanitizer()).generate(user, given, architecture="wan")
group = c.generate_dataset_group_by_blueprint(made.dataset_group)
start, count = time.process_time(), 0
for dataset in group.datasets:
    for _, batch in dataset.retrieve_latent_cache_batches(2):
        count += len(batch)
print("read", count, time.process_time() - start)
"""


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """Images of one to two megapixels in three formats, each with a caption, all in the file system's memory.

    Processor time is compared, so that other programs on the machine do not blur it; nothing waits for a disk here.
    """
    count = 10_000 if quick else 100_000
    config = _dataset(folder / "set", pictures(folder / "pictures"), count)
    floors, firsts, agains = [], [], []
    for _ in range(2 if quick else 4):  # in turns, so that a slow phase of the machine hits all three
        floors.append(_floor(folder / "set"))
        forget_media()
        firsts.append(_ours(config))
        agains.append(_ours(config))
    floor, first, again = min(floors), min(firsts), min(agains)
    anchor = f"{told(floor, 's')}, list and open {2 * count:,} files"
    yield Row(f"scan, check and fingerprint {count:,} images", first, "s", anchor=anchor)
    yield Row("the same, as a multiple of the anchor", first / floor, "x", 3)
    yield Row("again, nothing changed (the run after IS_CHANGED)", again, "s", anchor=anchor)
    yield Row("the same, as a multiple of the anchor", again / floor, "x", 2)
    yield Row("memory that Python holds meanwhile, for an item", _memory(config) / count / 1000, "kB", 4)
    yield from _viewed(folder, 10_000 if quick else 20_000)
    yield from _compared(folder, first / count)


def _viewed(folder: Path, count: int) -> Iterator[Row]:
    """Dataset Viewer on small pictures, of which four share a size each, and nothing is cached."""
    place, small = Workplace(folder / "viewer"), small_pictures(folder / "small", count)
    dataset = place.load(linked_dataset(folder / "small_set", small, count))
    floors, views = [], []
    for _ in range(3):
        floors.append(_floor(folder / "small_set"))
        forget_media()
        start = time.process_time()
        place.run("DatasetViewer", dataset=dataset)
        views.append(time.process_time() - start)
    anchor = f"{told(min(floors), 's')}, list and open {2 * count:,} files"
    yield Row(f"Dataset Viewer on {count:,} small images", min(views), "s", anchor=anchor)
    yield Row("the same, as a multiple of the anchor", min(views) / min(floors), "x", 8)


def _dataset(folder: Path, made: list[Path], count: int) -> DatasetConfig:
    link_pictures(folder, made, count)
    table = {
        "image_directory": folder.as_posix(),
        "caption_extension": ".txt",
        "resolution": 960,
        "enable_bucket": True,
    }
    return parse({"datasets": [{**table, "cache_directory": f"{folder.as_posix()}-cache"}]}, base=folder)


def _floor(folder: Path) -> float:
    start = time.process_time()
    with os.scandir(folder) as entries:
        for entry in entries:
            file = os.open(entry.path, os.O_RDONLY)
            os.read(file, 256)
            os.close(file)
    return time.process_time() - start


def _ours(config: DatasetConfig) -> float:
    start = time.process_time()
    found = scan(config)
    report = check(found, config)
    fingerprint(config, found)
    seconds = time.process_time() - start
    assert not report.errors, report.errors
    return seconds


def _memory(config: DatasetConfig) -> int:
    """The peak of Python's own memory; a picture would be megabytes."""
    forget_media()
    tracemalloc.start()
    _ours(config)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _compared(folder: Path, ours: float) -> Iterator[Row]:
    """musubi-tuner's own reading, where one is configured by MUSUBI_TUNER_ROOT (and MUSUBI_TUNER_PYTHON)."""
    root = os.environ.get("MUSUBI_TUNER_ROOT")
    if not root:
        print("(without MUSUBI_TUNER_ROOT: not compared with musubi-tuner's own reading)", file=sys.stderr)
        return
    install = load_install("bench", root, os.environ.get("MUSUBI_TUNER_PYTHON"))
    few = _dataset(folder / "few", sorted((folder / "pictures").iterdir()), 4 * PICTURES)
    toml = folder / "few.toml"
    from musubi_nodes.datasets.config.writing import dump

    dump(few, toml)
    environment = {**os.environ, "PYTHONPATH": str(install.root / "src")}
    command = [str(install.python), "-c", READ, str(toml)]
    *_, count, seconds = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    theirs = float(seconds) / int(count)
    yield Row("items a second", 1 / ours, "/s", anchor=f"{told(1 / theirs, '/s')}, musubi-tuner's reading")
    yield Row("an item, of musubi-tuner's own reading of it", 100 * ours / theirs, "%", 1)
