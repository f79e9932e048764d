"""What we keep on disk for the next time may be damaged: whatever it holds, it counts as not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.config import cache_folder
from musubi_nodes.datasets.config.toml import loads
from musubi_nodes.datasets.scan.report import Report
from musubi_nodes.datasets.scan.scan_cache import Found, RecentScan, ScanCache
from musubi_nodes.errors import Problem
from musubi_nodes.families.caches.manifest import BuildParams, CachedItem, CacheManifest
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.files import read_json, write_json
from musubi_nodes.hosts.comfyui import start

ODD = [None, True, 7, 1.5, "x", [], [[]], {}, [None], {"a": None}, {"a": []}]
odd_values = pytest.mark.parametrize("odd", ODD, ids=ascii)
broken = pytest.mark.parametrize("broken", ["[[[[", "[" * 100_000, "null", "7", "", "\0"])


@pytest.fixture
def nodes_file(musubi_surroundings: Path) -> Path:
    start.classes()
    return cache_folder() / "nodes.json"


@odd_values
def test_the_pack_loads_whatever_nodes_json_holds(nodes_file: Path, odd: Any) -> None:
    whole, state = read_json(nodes_file), start._state()
    assert start._kept(state)
    changed = [{**whole, "answer": odd}, {**whole, "files": odd} if odd else {**whole, "answer": [odd]}]
    for name, value in whole["answer"][0].items():
        if type(value) is not type(odd) or (isinstance(value, list) and odd):
            changed.append({**whole, "answer": [{**whole["answer"][0], name: odd}, *whole["answer"][1:]]})
    for each in changed:
        write_json(nodes_file, each)
        kept = start._kept(state)
        assert not kept or (odd is None and kept[0]["__doc__"] is None)
    assert "MusubiTuner_WanGenerator" in start.classes()[0]


@broken
def test_the_pack_loads_without_a_nodes_json_that_can_be_read(nodes_file: Path, broken: str) -> None:
    nodes_file.write_text(broken, "utf-8")
    assert "MusubiTuner_WanGenerator" in start.classes()[0]


NOTES = CacheManifest(
    {"a": CachedItem("o", {"a.safetensors": "1"}, True)}, "run", BuildParams(frozenset(["media"]), "m", "l")
)


@odd_values
def test_hidden_notes_of_a_wrong_shape_say_nothing(tmp_path: Path, odd: Any) -> None:
    NOTES.write(tmp_path, "_x.safetensors")
    file = NOTES.file(tmp_path, "_x.safetensors")
    assert CacheManifest.read(tmp_path, "_x.safetensors") == NOTES
    whole = json.loads(file.read_text("utf-8"))
    made, params = whole["items"]["a"], whole["params"]
    items = [[*made[:place], odd, *made[place + 1 :]] for place in range(3)]
    every = [[*params[:place], odd, *params[place + 1 :]] for place in range(3)]
    changed = [{**whole, "items": {"a": each}} for each in [*items, odd]]
    changed += [{**whole, "params": each} for each in [*every, odd]] + [{**whole, "items": odd}]
    for each in changed:
        write_json(file, each)
        found = CacheManifest.read(tmp_path, "_x.safetensors")
        assert all(type(value.source_hash) is str and type(value.finished) is bool for value in found.items.values())
        assert all(type(text) is str for value in found.items.values() for text in value.files.values())
        assert found.params is None or all(type(text) is str for text in (*found.params.sources, *found.params[1:]))


@broken
def test_hidden_notes_that_cannot_be_read_say_nothing(tmp_path: Path, broken: str) -> None:
    NOTES.file(tmp_path, "_x.safetensors").write_text(broken, "utf-8")
    assert CacheManifest.read(tmp_path, "_x.safetensors") == CacheManifest()


@odd_values
@pytest.mark.parametrize("name", ["files", "state", "run"])
def test_a_record_of_a_wrong_shape_remembers_nothing(tmp_path: Path, name: str, odd: Any) -> None:
    records = ResultStore(tmp_path, "made")
    (tmp_path / "a").write_bytes(b"1")
    records.keep("key", [tmp_path / "a"], state="s")
    (file,) = (tmp_path / "musubi" / "made").iterdir()
    write_json(file, {**read_json(file), name: odd})
    assert records.find("key") in ((), (tmp_path / "a",)) and type(records.holds("key", "s")) is bool
    assert records.run_of("key").parent.name == "runs" or records.run_of("key").name == "runs"


@odd_values
@pytest.mark.parametrize("name", ["state", "fingerprint", "warnings", "datasets"])
def test_what_was_known_of_a_dataset_in_a_wrong_shape_is_looked_for_again(tmp_path: Path, name: str, odd: Any) -> None:
    config = loads("[[datasets]]\nimage_directory = '.'\ncaption_extension = '.txt'\n", base=tmp_path)
    known = ScanCache(config, "", RecentScan())
    known._state = "settled"
    found = Found("f", Report((), (Problem("caption-empty", "w"),), ("d",)))
    known.keep(found)
    assert known.find() == found
    kept = read_json(known._memo.file)
    write_json(
        known._memo.file, {**kept, "answer": {**kept["answer"], name: odd}, **({name: odd} if name in kept else {})}
    )
    again = known.find()
    assert again is None or (type(again.fingerprint) is str and not again.report.errors)
