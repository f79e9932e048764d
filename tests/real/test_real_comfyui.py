"""Workflows queued in a real ComfyUI: ``COMFYUI_ROOT=... pytest -m comfyui``.

COMFYUI_PYTHON is the Python that runs it (default: its venv, else this one). They run on the miniature; with
MUSUBI_TUNER_ROOT also on the real musubi-tuner with toy weights.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.real.comfy import PACK, Comfy, comfyui, message, start
from tools import blueprints

from musubi_nodes.hosts.terminal.demo import make_dataset, workflow
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.series import whole

pytestmark = [pytest.mark.comfyui, pytest.mark.usefixtures("musubi_miniature")]


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    """One ComfyUI for all tests that leave it alive."""
    started = start(tmp_path_factory.mktemp("comfy"), 'install = "miniature"\n')
    yield started
    started.end()


@pytest.fixture
def own_comfy(tmp_path: Path) -> Iterator[Callable[[str], Comfy]]:
    """Starts ComfyUIs that a test may kill."""
    started: list[Comfy] = []

    def begin(config: str = 'install = "miniature"\n') -> Comfy:
        started.append(start(tmp_path, config))
        return started[-1]

    yield begin
    for each in started:
        each.end()


def graph(folder: Path, **changes: dict[str, Any]) -> dict[str, Any]:
    """The demo's graph with inputs of some nodes changed: ``n5={"max_train_epochs": 2}``."""
    made: dict[str, Any] = workflow(make_dataset(folder / "data"), "miniature", "wan")
    for name, values in changes.items():
        made[name.removeprefix("n")]["inputs"] |= values
    return made


def long_training(folder: Path) -> dict[str, Any]:
    made = graph(folder, n5={"max_train_epochs": 50_000, "max_data_loader_n_workers": 2, "save_every_n_epochs": 0})
    del made["7"]
    return made


def run_processes(comfy: Comfy) -> list[psutil.Process]:
    """The tree of the running command: guard, launcher, trainer, data workers."""
    token = str(comfy.folder)
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if process.pid != comfy.process.pid and any(token in word for word in process.info["cmdline"] or ()):
            found += [process, *process.children(recursive=True)]
    return found


def until(condition: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()


def training(comfy: Comfy) -> RunFolder | None:
    """The run folder of a training that has taken some steps."""
    runs = [folder for folder in run_folders(comfy.folder / "output") if folder.status()["status"] == "running"]
    return next((folder for folder in runs if len(whole(folder.metrics).points()) > 3), None)


def test_the_pack_is_there_with_all_its_nodes(comfy: Comfy) -> None:
    nodes = comfy.get("/object_info")
    assert {"MusubiTuner_WanLoRATrainer", "MusubiTuner_WanGenerator", "MusubiTuner_DatasetConfigLoader"} <= nodes.keys()
    assert "left out" not in comfy.said()


def test_pictures_become_a_lora_and_a_video(comfy: Comfy, tmp_path: Path) -> None:
    entry = comfy.wait(comfy.queue(graph(tmp_path)))
    assert entry["status"]["status_str"] == "success", message(entry)
    loras = comfy.get("/object_info/LoraLoader")["LoraLoader"]["input"]["required"]["lora_name"][0]
    assert "musubi/demo_lora.safetensors" in [name.replace("\\", "/") for name in loras]
    shown = entry["outputs"]["7"]["images"][0]
    assert probe(comfy.folder / "output" / shown["subfolder"] / shown["filename"]).frames == 17


def test_a_page_finds_the_run_of_its_node_and_stops_it(comfy: Comfy, tmp_path: Path) -> None:
    made = long_training(tmp_path)
    extra = {"extra_pnginfo": {"workflow": {"id": "my-workflow"}}}
    status, answer = comfy.post("/prompt", {"prompt": made, "extra_data": extra})
    assert status == 200, answer
    assert until(lambda: training(comfy), 60)
    run = next(run for run in comfy.get("/musubi/runs?newest=5")["runs"] if run["status"] == "running")
    assert run["class"] == "MusubiTuner_WanLoRATrainer" and run["node"] == "6"
    assert (run["prompt"], run["workflow"]) == (answer["prompt_id"], "my-workflow")
    told = comfy.get(f"/musubi/runs/{run['name']}")
    assert told["last"][0] > 3 and "--output_name=demo_lora" in told["command"]
    step, version = told["points"][-1][0], told["version"]
    later = comfy.get(f"/musubi/runs/{run['name']}?after={step}&version={version}")
    assert later["whole"] is (later["version"] != version)
    status, _ = comfy.post("/interrupt", {"prompt_id": answer["prompt_id"]})
    entry = comfy.wait(answer["prompt_id"])
    assert status == 200 and entry["status"]["status_str"] == "error"
    assert comfy.get(f"/musubi/runs/{run['name']}")["status"] == "cancelled"


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2f..%2fcomfyui.log", "gone", "a%00b", "%0a", "x" * 300])
def test_a_hostile_run_name_is_answered_with_404(comfy: Comfy, name: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as told:
        comfy.get(f"/musubi/runs/{name}")
    assert told.value.code == 404


def test_frames_and_video_reach_comfyuis_own_nodes(comfy: Comfy, tmp_path: Path) -> None:
    made = graph(tmp_path, n5={"max_train_epochs": 1}, n7={"video_length": 5, "seed": 5})
    made["8"] = {"class_type": "PreviewImage", "inputs": {"images": ["7", 1]}}
    saving = {"video": ["7", 0], "filename_prefix": "saved", "format": "auto", "codec": "auto"}
    made["10"] = {"class_type": "SaveVideo", "inputs": saving}
    entry = comfy.wait(comfy.queue(made))
    assert entry["status"]["status_str"] == "success", message(entry)
    assert len(entry["outputs"]["8"]["images"]) == 5
    assert list((comfy.folder / "output").glob("saved*.mp4"))


def test_the_machine_is_watched_and_its_free_memory_reaches_the_memory_optimizer(comfy: Comfy) -> None:
    """Where no driver tells what is free, the mode's own figure counts."""
    made = {
        "1": {"class_type": "MusubiTuner_ResourceMonitor", "inputs": {"seconds": 1}},
        "2": {
            "class_type": "MusubiTuner_MemoryOptimizer",
            "inputs": {"mode": "16 GB", "family": "wan", "free_memory": ["1", 2]},
        },
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 1]}},
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    for _ in range(2):
        entry = comfy.wait(comfy.queue(made))
        assert entry["status"]["status_str"] == "success", message(entry)
        (shown,) = entry["outputs"]["1"]["images"]
        assert (comfy.folder / "temp" / shown["filename"]).is_file() and shown["type"] == "temp"
        assert "\nCPU " in entry["outputs"]["1"]["text"][0] and "\nRAM " in entry["outputs"]["1"]["text"][0]
        assert " into " in entry["outputs"]["3"]["text"][0] and len(entry["outputs"]["4"]["images"]) == 1
    prompt = comfy.queue({"1": {"class_type": "MusubiTuner_ResourceMonitor", "inputs": {"seconds": 300}}})
    assert until(lambda: comfy.get("/queue")["queue_running"], 20)
    comfy.post("/interrupt", {})
    assert comfy.wait(prompt, 20)["status"]["status_str"] == "error"


def test_an_unchanged_graph_runs_nothing_again(comfy: Comfy, tmp_path: Path) -> None:
    made = graph(tmp_path, n5={"max_train_epochs": 1, "seed": 77})
    comfy.wait(comfy.queue(made))
    before = len(list(comfy.folder.glob("output/musubi/runs/*")))
    entry = comfy.wait(comfy.queue(made))
    assert entry["status"]["status_str"] == "success"
    assert len(list(comfy.folder.glob("output/musubi/runs/*"))) == before


def test_a_deleted_cache_is_made_again_by_queueing_the_same_graph(comfy: Comfy, tmp_path: Path) -> None:
    made = graph(tmp_path, n5={"max_train_epochs": 1, "seed": 78})
    comfy.wait(comfy.queue(made))
    for file in comfy.folder.glob("output/musubi/cache/**/*_wan_te.safetensors"):
        file.unlink()
    before = set(comfy.folder.glob("output/musubi/runs/*"))
    entry = comfy.wait(comfy.queue(made))
    assert entry["status"]["status_str"] == "success", message(entry)
    new = {folder.name.rsplit("-", 2)[1] for folder in set(comfy.folder.glob("output/musubi/runs/*")) - before}
    assert "WanTextEncoderCache" in new and "WanLatentCache" not in new
    again = len(list(comfy.folder.glob("output/musubi/runs/*")))
    comfy.wait(comfy.queue(made))
    assert len(list(comfy.folder.glob("output/musubi/runs/*"))) == again


def test_an_empty_prompt_is_told_before_the_training_of_its_graph(comfy: Comfy, tmp_path: Path) -> None:
    """ComfyUI runs the outputs that are in order (the trainer) and shows the others' errors at once."""
    made = graph(tmp_path, n5={"max_train_epochs": 1, "seed": 79}, n7={"prompt": " "})
    for _ in range(5):  # a busy machine may not find it out in the time that a page may be kept waiting
        status, answer = comfy.post("/prompt", {"prompt": made})
        entry = comfy.wait(answer["prompt_id"])
        if answer["node_errors"]:
            break
    assert status == 200 and "prompt is empty" in answer["node_errors"]["7"]["errors"][0]["details"]
    assert entry["status"]["status_str"] == "success" and "7" not in entry["outputs"]


def test_a_sample_of_no_length_is_told_before_anything_is_cached(comfy: Comfy, tmp_path: Path) -> None:
    made = graph(tmp_path, n6={"sampling": ["10", 0]})
    prompts = {"sample_prompts": "a cat --f 80", "sample_every_n_epochs": 1}
    made["10"] = {"class_type": "MusubiTuner_SamplingConfig", "inputs": prompts}
    status, answer = comfy.post("/prompt", {"prompt": made})
    assert status == 400 and "80 frames of the sample" in answer["node_errors"]["6"]["errors"][0]["details"]


def test_a_training_stops_after_its_next_save_when_the_page_asks(comfy: Comfy, tmp_path: Path) -> None:
    made = graph(tmp_path, n5={"max_train_epochs": 50_000, "save_every_n_epochs": 0, "save_every_n_steps": 100})
    made["6"]["inputs"]["output_name"] = "stopped"
    del made["7"]
    prompt = comfy.queue(made)
    assert until(lambda: training(comfy), 60)
    run = training(comfy)
    assert run
    name = run.path.name
    assert comfy.post("/musubi/runs/../stop", {})[0] in (404, 409)
    assert comfy.post("/musubi/runs/gone/stop", {})[0] == 409
    assert comfy.post(f"/musubi/runs/{name}/stop", {})[0] == 200
    entry = comfy.wait(prompt, 60)
    assert entry["status"]["status_str"] == "success", message(entry)
    assert list(comfy.folder.glob("models/loras/musubi/stopped-step*.safetensors"))
    assert comfy.post(f"/musubi/runs/{name}/stop", {})[0] == 409
    assert comfy.get("/musubi/plugins") == {"left_out": {}}


@pytest.mark.parametrize(
    ("changes", "node", "text"),
    [
        ({"n5": {"learning_rate": 9999.0}}, "5", "learning_rate"),
        ({"n5": {"mixed_precision": "bf15"}}, "5", "mixed_precision"),
        ({"n2": {"dit": "../../x.safetensors"}}, "2", "there is no file"),
        ({"n2": {"task": "i2v-14B"}}, "2", "clip"),
        ({"n6": {"num_processes": 0}}, "6", "num_processes"),
    ],
)
def test_a_wrong_value_is_refused_by_the_server_with_one_error_at_its_node(
    comfy: Comfy, tmp_path: Path, changes: dict[str, Any], node: str, text: str
) -> None:
    status, answer = comfy.post("/prompt", {"prompt": graph(tmp_path, **changes)})
    assert status == 400 and list(answer["node_errors"]) == [node]
    errors = answer["node_errors"][node]["errors"]
    assert len(errors) == 1 and text in errors[0]["details"]


def test_a_failing_node_says_why_and_the_queue_goes_on(comfy: Comfy, tmp_path: Path) -> None:
    made = graph(tmp_path)
    (tmp_path / "data" / "red_ball.txt").unlink()
    entry = comfy.wait(comfy.queue(made))
    assert entry["status"]["status_str"] == "error"
    assert "caption" in message(entry) and "Fix:" in message(entry)
    entry = comfy.wait(comfy.queue(graph(tmp_path / "again", n5={"max_train_epochs": 1})))
    assert entry["status"]["status_str"] == "success", message(entry)


def test_a_page_in_japanese_gets_its_errors_in_japanese(comfy: Comfy) -> None:
    """When it is queued, and when a node fails while it runs."""
    comfy.post("/settings", {"Comfy.Locale": "ja"})
    try:
        made = {"1": {"class_type": "MusubiTuner_TrainingMonitor", "inputs": {"name": "gone"}}}
        _, answer = comfy.post("/prompt", {"prompt": made})
        assert "対処: " in answer["node_errors"]["1"]["errors"][0]["details"]
        made = {
            "1": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "gone"}},
            "2": {"class_type": "MusubiTuner_TrainingMonitor", "inputs": {"compare": ["1", 0]}},
        }
        assert "対処: " in message(comfy.wait(comfy.queue(made)))
    finally:
        comfy.post("/settings", {"Comfy.Locale": "en"})


def test_interrupt_ends_the_whole_tree_within_two_seconds(comfy: Comfy, tmp_path: Path) -> None:
    prompt = comfy.queue(long_training(tmp_path))
    assert until(lambda: training(comfy), 60)
    tree = run_processes(comfy)
    assert len(tree) >= 4, tree
    asked = time.monotonic()
    comfy.post("/interrupt", {})
    assert until(lambda: not [p for p in tree if p.is_running() and p.status() != "zombie"], 2)
    assert time.monotonic() - asked < 2.5
    entry = comfy.wait(prompt, 10)
    assert any(m[0] == "execution_interrupted" for m in entry["status"]["messages"])
    newest = max(comfy.folder.glob("output/musubi/runs/*/status.json"), key=lambda p: p.stat().st_mtime)
    assert '"cancelled"' in newest.read_text("utf-8")


CANCELS: dict[str, Callable[[Comfy, str], tuple[int, Any]]] = {
    "interrupt": lambda comfy, prompt: comfy.post("/interrupt", {"prompt_id": prompt}),
    "cancel of the job": lambda comfy, prompt: comfy.post(f"/api/jobs/{prompt}/cancel", {}),
    "cancel of several jobs": lambda comfy, prompt: comfy.post("/api/jobs/cancel", {"job_ids": [prompt]}),
}
"""Ways to end a running prompt; the jobs are there since 0.26."""


@pytest.mark.parametrize("way", CANCELS)
def test_a_cancelled_prompt_leaves_no_process_and_the_queue_goes_on(comfy: Comfy, tmp_path: Path, way: str) -> None:
    prompt = comfy.queue(long_training(tmp_path))
    waiting = comfy.queue(long_training(tmp_path / "waiting"))
    assert until(lambda: training(comfy), 60)
    tree = run_processes(comfy)
    assert len(tree) >= 4
    assert comfy.post("/queue", {"delete": [waiting]})[0] == 200
    status, _ = CANCELS[way](comfy, prompt)
    if status in (404, 405) and "job" in way:
        comfy.post("/interrupt", {})
        comfy.wait(prompt, 20)  # or the next test takes it for its own
        pytest.skip("this ComfyUI has no jobs")
    assert status == 200
    assert until(lambda: not [p for p in tree if p.is_running() and p.status() != "zombie"], 10)
    assert any(m[0] == "execution_interrupted" for m in comfy.wait(prompt, 10)["status"]["messages"])
    assert until(lambda: not any(comfy.get("/queue").values()), 10)
    assert waiting not in comfy.get("/history")


def test_a_cleared_queue_leaves_the_running_training_alone_and_starts_no_other(comfy: Comfy, tmp_path: Path) -> None:
    prompt = comfy.queue(long_training(tmp_path))
    comfy.queue(long_training(tmp_path / "waiting"))
    assert until(lambda: training(comfy), 60)
    assert comfy.post("/queue", {"clear": True})[0] == 200
    assert not comfy.get("/queue")["queue_pending"] and run_processes(comfy)
    comfy.post("/interrupt", {"prompt_id": prompt})
    comfy.wait(prompt, 20)
    assert until(lambda: not any(comfy.get("/queue").values()), 10) and not training(comfy)


LOADED = """
import sys
import comfy.options
comfy.options.enable_args_parsing()
sys.argv = ["main.py", "--cpu"]
import torch
from comfy import model_management, model_patcher
from musubi_nodes.hosts.comfyui.host import ComfyHost
module, cpu = torch.nn.Linear(64, 64), torch.device("cpu")
module.model_loaded_weight_memory = 0
patcher = model_patcher.ModelPatcher(module, cpu, cpu)
model_management.load_models_gpu([patcher])
before = len(model_management.current_loaded_models)
ComfyHost().release_models()
print("loaded", before, len(model_management.current_loaded_models))
"""


def test_no_model_of_comfyui_stays_loaded_when_a_run_begins() -> None:
    root, python = comfyui()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PACK / "core" / "src"), str(root)])}
    done = subprocess.run([python, "-c", LOADED], cwd=root, env=environment, capture_output=True, text=True)
    assert "loaded 1 0" in done.stdout, done.stderr[-2000:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_comfyui_dies(own_comfy: Any, tmp_path: Path, number: signal.Signals) -> None:
    comfy = own_comfy()
    comfy.queue(long_training(tmp_path))
    assert until(lambda: training(comfy), 60)
    tree = run_processes(comfy)
    assert len(tree) >= 4
    comfy.process.send_signal(number)
    comfy.process.wait(20)
    assert until(lambda: not [p for p in tree if p.is_running() and p.status() != "zombie"], 2)


def test_the_real_musubi_tuner_runs_from_the_canvas(own_comfy: Any, toy_config: str, tmp_path: Path) -> None:
    comfy = own_comfy(toy_config)
    made = graph(
        tmp_path,
        n2={"dit": "wan21_dit.safetensors", "vae": "wan_vae.safetensors", "t5": "t5.safetensors"},
        n5={"max_train_epochs": 2, "learning_rate": 0.001},
        n7={"width": 96, "height": 64, "video_length": 5, "infer_steps": 2},
    )
    entry = comfy.wait(comfy.queue(made), 300)
    assert entry["status"]["status_str"] == "success", message(entry)
    assert list(comfy.folder.glob("models/loras/musubi/demo_lora.safetensors"))
    assert probe(next(comfy.folder.glob("output/musubi/demo.mp4"))).frames == 5


def test_a_dataset_is_made_and_looked_at_on_the_canvas(comfy: Comfy, tmp_path: Path) -> None:
    from PIL import Image

    colors = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 60, 200)}
    for name, color in colors.items():
        Image.new("RGB", (96, 64), color).save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text("夜の東京、雨の路地", "utf-8")
    made = {
        "1": {"class_type": "MusubiTuner_DatasetConfigEditor", "inputs": {
            "name": "canvas", "source": str(tmp_path), "width": 96, "height": 64, "family": "wan"}},
        "2": {"class_type": "MusubiTuner_DatasetViewer", "inputs": {"dataset": ["1", 0], "per_page": 2, "columns": 2}},
        "3": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
    }  # fmt: skip
    entry = comfy.wait(comfy.queue(made))
    assert entry["status"]["status_str"] == "success", message(entry)
    assert (comfy.folder / "output" / "musubi" / "datasets" / "canvas.toml").is_file()
    (text,) = entry["outputs"]["2"]["text"]
    assert "3 images" in text and "page 1 of 2: 1 to 2 of 3" in text and "cached: nothing yet" in text
    (shown,) = entry["outputs"]["3"]["images"]
    with Image.open(comfy.folder / "temp" / shown["subfolder"] / shown["filename"]) as grid:
        seen = {color for _, color in grid.convert("RGB").getcolors(1 << 24)}
    assert colors["blue"] in seen and colors["green"] in seen and colors["red"] not in seen
    status, answer = comfy.post("/prompt", {"prompt": {**made, "1": {**made["1"], "inputs": {"family": "wann"}}}})
    assert status == 400 and "did you mean 'wan'?" in str(answer["node_errors"]["1"])


def test_the_blueprints_are_offered_by_versions_that_know_them(comfy: Comfy) -> None:
    """ComfyUI since 0.3.67; that they open is tested in the page."""
    try:
        offered = comfy.get("/global_subgraphs")
    except urllib.error.HTTPError as error:
        assert error.code == 404
        pytest.skip("this ComfyUI has no blueprints")
    ours = {id_: each for id_, each in offered.items() if each["info"]["node_pack"] == "custom_nodes.musubi-nodes"}
    assert {each["name"] for each in ours.values()} == set(blueprints.BLUEPRINTS)
    nodes = comfy.get("/object_info").keys()
    for id_ in ours:
        drawn = json.loads(comfy.get(f"/global_subgraphs/{id_}")["data"])
        assert {node["type"] for node in drawn["definitions"]["subgraphs"][0]["nodes"]} <= nodes
