"""docs/plugins.md followed to its end: a plugin from the real scripts, and one on the canvas of a real ComfyUI."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests.real.comfy import PACK, Comfy, message, start

from musubi_nodes.hosts.terminal.demo import make_dataset, workflow
from musubi_nodes.hosts.terminal.from_scripts import plugin_files
from musubi_nodes.hosts.terminal.new_plugin import PICTURE_EXAMPLE, names_of, new_plugin, scaffold
from musubi_nodes.media.probe import probe
from musubi_nodes.runs.install import load_install
from musubi_nodes.testing.contract import cases, options_of

pytestmark = [pytest.mark.comfyui, pytest.mark.usefixtures("musubi_miniature")]

LEFT_OUT = shutil.ignore_patterns(".git", ".*_cache", ".venv", ".hypothesis", "__pycache__", "output")


@pytest.mark.musubi
@pytest.mark.parametrize("prefix", ["krea2", "zimage"])
def test_a_plugin_from_real_scripts_sends_what_they_take(
    real_musubi: dict[str, str], tmp_path: Path, prefix: str
) -> None:
    install = load_install("real", real_musubi["root"], real_musubi["python"])
    files, notes = plugin_files(scaffold(PICTURE_EXAMPLE, "new-bird"), install, prefix, names_of("new-bird"))
    assert not [note for note in notes if "to be" in note or ("failed" in note and "CUDA" not in note)]
    names: dict[str, Any] = {"__name__": f"from_{prefix}"}
    module = sys.modules[names["__name__"]] = ModuleType(names["__name__"])
    exec(compile(files["src/musubi_nodes_new_bird/nodes.py"], "nodes.py", "exec"), vars(module))
    for case in cases(module.NODES):
        case.check(options_of(case.node.script, install=install))


@pytest.fixture
def comfy(tmp_path: Path) -> Any:
    """A ComfyUI with a clone of the pack whose plugins folder holds the new plugin."""
    pack = Path(shutil.copytree(PACK, tmp_path / "musubi-nodes", ignore=LEFT_OUT))
    new_plugin("my-model", pack / "plugins")
    (package,) = (pack / "plugins").glob("*my-model/src/*")
    (package / "locales").mkdir()
    (package / "locales" / "ja.toml").write_text('[sentences]\n"My Model Models" = "私のモデル"\n', "utf-8")
    started = start(tmp_path, 'install = "miniature"\n', pack=pack)
    yield started
    started.end()


@pytest.mark.comfyui
def test_a_new_plugin_is_on_the_canvas_and_makes_a_lora_and_a_video(comfy: Comfy, tmp_path: Path) -> None:
    nodes = {name: facts for name, facts in comfy.get("/object_info").items() if "MyModel" in name}
    assert len(nodes) == 5 and all(facts["description"] for facts in nodes.values())
    assert page(comfy, "MusubiTuner_MyModelLatentCache.md").startswith("# My Model Latent Cache\n")
    assert page(comfy, "MusubiTuner_MyModelModels/ja.md").startswith("# 私のモデル\n")
    with pytest.raises(HTTPError, match="404"):
        page(comfy, "MusubiTuner_MyModelModels/fr.md")  # the canvas then asks for the English one
    assert page(comfy, "MusubiTuner_WanModels/ja.md") == (PACK / "web/docs/MusubiTuner_WanModels/ja.md").read_text(
        "utf-8"
    )
    made: dict[str, Any] = workflow(make_dataset(tmp_path / "data"), "miniature", "wan")
    for step in made.values():
        step["class_type"] = step["class_type"].replace("_Wan", "_MyModel")
    made["5"]["inputs"] |= {"max_train_epochs": 2}
    made["7"]["inputs"] |= {"video_length": 5, "infer_steps": 2}
    entry = comfy.wait(comfy.queue(made))
    assert entry["status"]["status_str"] == "success", message(entry)
    assert list(comfy.folder.glob("models/loras/musubi/demo_lora.safetensors"))
    assert probe(next(comfy.folder.glob("output/musubi/demo.mp4"))).frames == 5


def page(comfy: Comfy, name: str) -> str:
    """A help page, asked for as the canvas does."""
    with urlopen(f"http://127.0.0.1:{comfy.port}/extensions/musubi-nodes/docs/{name}", timeout=30) as answer:
        return str(answer.read().decode())
