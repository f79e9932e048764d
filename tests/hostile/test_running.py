"""Nodes that really run, up to the start of their script: what they read, write and would start with hostile texts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.every_node import REAL_ONLY
from tests.hostile.every_node import every_node
from tests.hostile.world import FRAMES, World

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.fields import FieldSpec
from musubi_nodes.families.node import Node
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.sockets import Run
from musubi_nodes.files import write_text
from musubi_nodes.media.frames import VideoFile, save_video
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.testing.hostile import HOSTILE, assert_clear, text_fields

SMALL = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "a square"}
FEW = ("option", "option in a second line", "folder above", "absolute path", "share", "NUL", "terminal",
       "half a character", "markup", "shell", "TOML", "sections", "a megabyte")  # fmt: skip
"""For nodes whose run takes long."""
FAMILIES = {
    "Wan": "wan",
    "Heron": "wan",
    "HunyuanVideo": "hunyuan",
    "FramePack": "framepack",
    "Magpie": "framepack",
    "ZImage": "z_image",
}
"""Whose toy models each family takes."""
SETTINGS = {
    "training": "TrainingConfig",
    "network": "NetworkConfig",
    "optimizer": "OptimizerConfig",
    "sampling": "SamplingConfig",
}

NEVER = {*((family, "optimizer") for family in FAMILIES), ("FramePack", "sampling"), ("Magpie", "sampling")}
"""Whose texts are all refused: optimizers' arguments are Python literals, and samples of these two need a picture."""


@pytest.fixture
def world(tmp_path: Path, musubi_miniature: str, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.chdir(made.folder)
    return made


def texts(world: World, labels: Any = HOSTILE) -> list[str]:
    """The hostile texts, and paths that really lead somewhere."""
    found = [str(world.outside / name) for name in ("secret.mp4", "secret.toml", "new/x")]
    return [*(HOSTILE[label] for label in labels), *found, f"../outside/{'secret.txt'}"]


def models(world: World, family: str) -> Any:
    demo = world.services.install().demos[FAMILIES[family]]
    known = {spec.name for spec in world.node(f"{family}Models").fields()}
    return world.run(f"{family}Models", **{name: value for name, value in demo.models.items() if name in known}).models


def sockets(world: World) -> dict[str, Any]:
    """A value for each shared socket."""
    run = RunFolder.create(world.host.output_folder, "WanLoRATrainer")
    run.metrics.write_text('{"step": 1, "loss": 0.5, "average": 0.5, "time": 1.0}\n', "utf-8")
    video = VideoFile(save_video(FRAMES, world.folder / "own.mp4", 8.0))
    return {"IMAGE": FRAMES, "VIDEO": video, "MUSUBI_DATASET": world.load(world.dataset())}


PLAIN = [node for node in every_node() if not issubclass(node, ScriptNode)]


@pytest.mark.parametrize("node", PLAIN, ids=lambda node: node.id)
def test_a_node_without_a_script_changes_nothing_outside(node: type[Node], world: World) -> None:
    given = sockets(world)
    family = next((family for family in FAMILIES if node.id.startswith(f"MusubiTuner_{family}Models")), "")
    first = dict(world.services.install().demos[FAMILIES[family]].models) if family else {}
    needed = {spec.name: given[spec.socket] for spec in node.fields() if spec.socket in given}
    if node.id == "MusubiTuner_VideoOutput":
        del needed["video"]
    if node.id == "MusubiTuner_DatasetConfigEditor":
        first, needed = {"source": str(world.folder / "pictures")}, {}
    with world.untouched():
        for spec in text_fields(node.Inputs):
            for text in texts(world):
                world.attempt(node.id, **{**needed, **first, spec.name: text})
    assert not world.started()


def looked_at(world: World, node: Any, given: dict[str, Any], specs: Any, value: Any) -> int:
    """Run ``node`` as it is, then with each text in each of ``specs``; returns how many of those reach their script.

    Every command names nothing but the world's own files.
    """
    reached = 0
    assert world.attempt(node.id, **given), "it does not even start with harmless values"
    for spec in specs:
        for text in texts(world, FEW):
            for command in world.attempt(node.id, **{**given, **value(spec, text)}):
                reached += 1
                named = world.files_of(command, node.script)
                assert named and all(world.is_ours(path) for path in named), (spec.name, text[:80], named)
    return reached


def own_field(spec: FieldSpec, text: str) -> dict[str, Any]:
    return {spec.name: text}


def scripts(ending: str) -> list[Any]:
    """Nodes whose scripts the miniature has."""
    return [node for node in every_node() if node.id.endswith(ending) and not node.id.startswith(REAL_ONLY)]


@pytest.mark.parametrize("node", scripts("Generator"), ids=lambda node: node.id)
def test_a_generator_starts_its_script_with_nothing_but_its_own_files(node: Any, world: World) -> None:
    family = node.id.removeprefix("MusubiTuner_").removesuffix("Generator")
    demo = world.services.install().demos[FAMILIES[family]]
    given = {**SMALL, **demo.generation, "image": FRAMES[:1] if demo.first_frame else None, "control_image": FRAMES[:1]}
    given = {name: value for name, value in given.items() if name in node.Inputs.model_fields and value is not None}
    given["models"] = models(world, family)
    world.look_only()
    with world.untouched():
        assert looked_at(world, node, given, text_fields(node.Inputs), own_field), "every text is refused, also prompts"


@pytest.mark.parametrize("node", scripts("Cache"), ids=lambda node: node.id)
def test_a_cache_starts_its_script_with_nothing_but_its_own_files(node: Any, world: World) -> None:
    family = next(family for family in FAMILIES if family in node.id)
    given = {"models": models(world, family), "dataset": dataset_for(world, family)}
    world.look_only()
    with world.untouched():
        looked_at(world, node, given, text_fields(node.Inputs), own_field)


def dataset_for(world: World, family: str) -> Any:
    """Pictures, for Magpie with control pictures, or for FramePack a video: its caches take no pictures."""
    if family == "Magpie":
        toml, control = world.dataset(), world.dataset("control").with_suffix("")
        return world.load(write_text(toml, f"{toml.read_text('utf-8')}control_directory = '{control}'\n"))
    if family != "FramePack":
        return world.load(world.dataset())
    folder = world.folder / "videos"
    folder.mkdir()
    save_video(np.zeros((41, 64, 96, 3), np.float32), folder / "a.mp4", 30.0)
    (folder / "a.txt").write_text("a square", "utf-8")
    toml = f"[general]\nresolution = [96, 64]\ncaption_extension = '.txt'\n[[datasets]]\nvideo_directory = '{folder}'\n"
    path = write_text(world.folder / "videos.toml", toml + "target_frames = [37]\n")
    return world.load(path)


@pytest.mark.parametrize("trainer", scripts("Trainer"), ids=lambda node: node.id)
def test_a_trainer_starts_its_script_with_nothing_but_its_own_files(trainer: Any, world: World) -> None:
    """On real caches; also through each settings node that it takes."""
    family = next(family for family in FAMILIES if family in trainer.id)
    given = {"models": models(world, family), "dataset": dataset_for(world, family)}
    latent = world.run(f"{family}LatentCache", **given).latent_cache
    text = world.run(f"{family}TextEncoderCache", **given).text_cache
    world.look_only()
    given = {"models": given["models"], "latent_cache": latent, "text_cache": text}
    with world.untouched():
        looked_at(world, trainer, given, text_fields(trainer.Inputs), own_field)
        for socket, name in SETTINGS.items():
            settings = world.node(name)

            def made(spec: FieldSpec, text: str, name: str = name, socket: str = socket) -> dict[str, Any]:
                first = {"sample_at_first": True} if spec.name == "sample_prompts" else {}
                try:
                    outputs = world.run(name, **{**first, spec.name: text})
                except MusubiError as error:
                    assert_clear(error)
                    return {"output_name": "../refused"}
                return {socket: next(iter(dict(outputs).values()))}

            reached = looked_at(world, trainer, given, text_fields(settings.Inputs), made)
            assert reached or (family, socket) in NEVER


@pytest.mark.parametrize("name", ["LoRAFormatConverter", "LoRAMerger", "LoRAPostHocEMA"])
def test_a_lora_tool_starts_its_script_with_nothing_but_its_own_files(name: str, world: World) -> None:
    lora = world.lora("double_blocks_0_img_attn_proj")
    folder = RunFolder.create(world.host.output_folder, "WanLoRATrainer")
    for number in (1, 2):
        shutil.copy(lora.path, folder.out / f"a-{number:06d}.safetensors")
    given = {"lora": lora, "run": Run(folder=folder.path), "dit": "miniature/hunyuan_video_t2v.safetensors"}
    node = world.node(name)
    given = {field: value for field, value in given.items() if field in node.Inputs.model_fields}
    if "run" in given:
        del given["lora"]  # one of the two
    world.look_only()
    with world.untouched():
        looked_at(world, node, given, text_fields(node.Inputs), own_field)
