"""What the page is told of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.links import symlink

from musubi_nodes.families.context import Context
from musubi_nodes.files import write_json
from musubi_nodes.hosts.comfyui import run_state
from musubi_nodes.hosts.comfyui.run_state import listed, state
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.record.folder import RunFolder, Status, run_folders, run_named
from musubi_nodes.runs.record.heartbeat import this_host
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import Workplace

HOSTILE = "<img src=x onerror=alert(1)>"


def long_run(output: Path, steps: int) -> RunFolder:
    folder = RunFolder.create(output, "WanLoRATrainer")
    folder.write_status("running", **this_host())
    with folder.metrics.open("w") as file:
        file.writelines(f'{{"step": {step}, "loss": 0.1, "lr": 0.0001}}\n' for step in range(1, steps + 1))
    folder.log.write_text("".join(f"{HOSTILE} {n}\n" for n in range(20_000)), "utf-8")
    folder.samples.mkdir()
    for number in range(500):
        name = f"my_e_1_lora_e{number:06d}_00_20250101000000_1_000.png"
        (folder.samples / name).write_bytes(b"")
        os.utime(folder.samples / name, (number, number))
    (folder.samples / "other.txt").write_text("x")
    return folder


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_the_answer_is_bounded_and_nothing_is_changed(tmp_path: Path) -> None:
    folder = long_run(tmp_path, 100_000)
    before = everything(tmp_path)
    told = state(folder, tmp_path)
    assert everything(tmp_path) == before
    assert len(json.dumps(told, allow_nan=False)) < 300_000
    assert told["points"][0][0] == 1 and told["last"][0] == 100_000
    assert told["log"][-1] == f"{HOSTILE} 19999"
    assert told["samples_made"] == 500 and len(told["samples"]) == 60
    newest = told["samples"][-1]
    assert newest["label"] == "epoch 499" and newest["prompt"] == 0
    assert newest["subfolder"] == f"musubi/runs/{folder.path.name}/out/sample"


def test_samples_of_the_run_before_are_shown_too(tmp_path: Path) -> None:
    before, after = (RunFolder.create(tmp_path, "WanLoRATrainer") for _ in range(2))
    before.samples.mkdir()
    (before.samples / "a_000002_00_20250101000000.png").write_bytes(b"")
    state_of = {"state": f"{before.path.name}/out/a-state", "step": 3, "epoch": 1}
    (after.path / "resumed.json").write_text(json.dumps(state_of))
    told = state(after, tmp_path)
    (sample,) = told["samples"]
    assert (sample["label"], sample["subfolder"]) == ("step 2", f"musubi/runs/{before.path.name}/out/sample")
    assert told["samples_planned"]


def test_a_second_look_brings_only_what_came_since(tmp_path: Path) -> None:
    folder = long_run(tmp_path, 50)
    first = state(folder, tmp_path)
    kept = first["points"][-1][0]
    with folder.metrics.open("a") as file:
        file.write('{"step": 51, "loss": 0.2}\n{"step": 52, "loss": 0.3}\n')
    second = state(folder, tmp_path, kept, first["version"])
    assert not second["whole"] and "command" not in second
    assert [point[0] for point in second["points"]] == [50, 51] and second["last"][0] == 52
    assert state(folder, tmp_path, kept, first["version"] + 1)["whole"]


def test_an_empty_run_folder_has_an_answer(tmp_path: Path) -> None:
    told = state(RunFolder.create(tmp_path, "Node"), tmp_path)
    assert (told["status"], told["points"], told["last"], told["samples"]) == ("unknown", [], None, [])


@pytest.mark.parametrize("content", ["", "[1]", '{"time": Infinity, "node": {"a": 1}, "status": [1], "total": NaN}'])
def test_broken_files_still_make_strict_json(tmp_path: Path, content: str) -> None:
    folder = RunFolder.create(tmp_path, "Node")
    for name in ("status.json", "origin.json", "progress.json", "command.json"):
        (folder.path / name).write_text(content)
    json.dumps(state(folder, tmp_path), allow_nan=False)
    json.dumps(listed(tmp_path, 10), allow_nan=False)


def test_links_out_of_the_run_folders_are_not_followed(tmp_path: Path) -> None:
    folder = long_run(tmp_path / "output", 1)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "status.json").write_text('{"status": "done"}')
    symlink(folder.path.parent / "link", outside)
    with fails("run-missing", "'link'"):
        run_named(tmp_path / "output", "link")
    sample = folder.samples / "x_000001_00_20250101000000.png"
    symlink(sample, outside / "status.json")
    assert sample.name not in [each["filename"] for each in state(folder, tmp_path / "output")["samples"]]
    assert [run["name"] for run in listed(tmp_path / "output", 10)["runs"]] == [folder.path.name]


def test_only_files_of_the_run_folder_itself_are_read(tmp_path: Path) -> None:
    folder, empty = (RunFolder.create(tmp_path / "output", "WanLoRATrainer") for _ in range(2))
    outside = long_run(tmp_path / "outside", 3)
    outside.write_status("done", error="secret")
    write_json(outside.path / "command.json", {"command": ["secret"], "cwd": "/", "environment": {}})
    names = ["log.txt", "metrics.jsonl", "status.json", "command.json", "origin.json", "progress.json", "resumed.json"]
    for name in names:
        (outside.path / name).touch()
        symlink(folder.path / name, outside.path / name)
    symlink(folder.samples, outside.samples)
    told, nothing = (state(each, tmp_path / "output") for each in (folder, empty))
    assert told | {"name": ""} == nothing | {"name": ""}


def test_samples_below_a_linked_folder_are_not_shown(tmp_path: Path) -> None:
    folder, outside = RunFolder.create(tmp_path / "output", "WanLoRATrainer"), long_run(tmp_path / "outside", 1)
    folder.out.rmdir()
    symlink(folder.out, outside.out)
    assert state(folder, tmp_path / "output")["samples"] == []


def test_a_list_names_the_newest_runs(tmp_path: Path) -> None:
    long_run(tmp_path, 3)
    (tmp_path / "musubi" / "runs" / "not plain").mkdir()
    for _ in range(5):
        RunFolder.create(tmp_path, "ZGenerator")
    assert len(listed(tmp_path, 100)["runs"]) == 6
    assert len(listed(tmp_path, 2)["runs"]) == 2


def test_a_list_can_be_narrowed_to_what_may_be_shown_in_a_workflow(tmp_path: Path) -> None:
    def made(node: str, workflow: str = "", status: Status = "done") -> str:
        folder = RunFolder.create(tmp_path, node)
        write_json(folder.path / "origin.json", {"class": f"MusubiTuner_{node}", "workflow": workflow})
        folder.write_status(status, **this_host())
        return folder.path.name

    mine, running = made("WanLoRATrainer", "mine"), made("WanLoRATrainer", "", "running")
    for node, workflow in (("WanLoRATrainer", ""), ("WanLoRATrainer", "other"), ("WanLoRATrainerX", "mine")):
        made(node, workflow)
    found = listed(tmp_path, 2, ["MusubiTuner_WanLoRATrainer"], "mine")["runs"]
    assert [run["name"] for run in found] == [running, mine]


def test_a_list_looks_through_a_bounded_number_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_state, "SEARCHED", 3)
    for workflow in ("mine", "other", "other", "other"):
        write_json(RunFolder.create(tmp_path, "Trainer").path / "origin.json", {"class": "T", "workflow": workflow})
    assert listed(tmp_path, 100, (), "mine")["runs"] == [] and len(listed(tmp_path, 100)["runs"]) == 3


def test_a_node_of_a_plugin_may_be_called_anything(tmp_path: Path) -> None:
    for node in ("acme-My Trainer (LoRA)", "MusubiTuner_学習-Trainer", "x" * 200):
        folder = RunFolder.create(tmp_path, node)
        write_json(folder.path / "origin.json", {"class": node, "workflow": "mine"})
        assert [run["name"] for run in listed(tmp_path, 9, [node], "mine")["runs"]] == [folder.path.name]
        assert run_named(tmp_path, folder.path.name) == folder


def test_a_run_knows_its_node_its_prompt_and_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    from musubi_nodes.hosts.terminal.demo import make_dataset, workflow

    place = Workplace(tmp_path, plugins())
    graph: dict[str, Any] = workflow(make_dataset(tmp_path / "data"), "miniature", "wan")
    made: dict[str, Any] = {}
    for id_, entry in graph.items():
        node = place.node(entry["class_type"])
        if node.id.endswith("Generator"):
            continue
        given = {
            name: getattr(made[value[0]], place.node(graph[value[0]]["class_type"]).outputs()[value[1]].name)
            if isinstance(value, list)
            else value
            for name, value in entry["inputs"].items()
        }
        queued = {"prompt": "p-1", "workflow": "w-1"}
        context = Context(place.host, place.services, f"2:{id_}", queued=queued)
        made[id_] = node().run(node.parse(given), context)
    output = place.host.output_folder
    folder = next(each for each in run_folders(output) if "Trainer" in each.path.name)
    told = state(folder, output)
    assert (told["node"], told["prompt"], told["workflow"]) == ("2:6", "p-1", "w-1")
    assert told["class"] == "MusubiTuner_WanLoRATrainer" and told["status"] == "done"
    assert told["progress"]["step"] == told["progress"]["steps"] == told["last"][0]
    assert "--output_name=demo_lora" in told["command"]
