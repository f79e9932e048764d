"""Fields proposed for a new family's nodes: a node made of them alone is right, and its script accepts it."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from pydantic import create_model

from musubi_nodes.commands.tables import scripts, table
from musubi_nodes.config import Config, InstallConfig
from musubi_nodes.errors import MusubiError
from musubi_nodes.families import Family, ForwardOptions
from musubi_nodes.families.script import ScriptNode
from musubi_nodes.families.settings import Memory, Network, Optimizer, Sampling, Training
from musubi_nodes.hosts.terminal.family_scripts import family_scripts
from musubi_nodes.hosts.terminal.propose import proposal
from musubi_nodes.testing.contract import cases, set_twice
from musubi_nodes.testing.errors import fails

FAMILIES = ["qwen_image", "zimage", "flux_kontext", "krea2", "kandinsky5"]


@pytest.fixture
def checkout(tmp_path: Path, musubi_surroundings: Path) -> Path:
    """The scripts of a musubi-tuner whose --help cannot be run: no Python is there."""
    folder = tmp_path / "src" / "musubi_tuner"
    folder.mkdir(parents=True)
    for name in scripts():
        (folder / name).write_text("", "utf-8")
    return tmp_path


def declared(folder: Path, prefix: str, config: Config | None = None) -> ModuleType:
    """The proposal as a module, as an author's own file would be."""
    file = folder / f"proposed_{prefix}.py"
    file.write_text(proposal(folder, prefix, "New", config or Config()), "utf-8")
    spec = spec_from_file_location(file.stem, file)
    assert spec and spec.loader
    module = sys.modules[file.stem] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def nodes(folder: Path, prefix: str) -> list[type[ScriptNode]]:
    """A node for each script, made of the proposed fields and models and nothing else."""
    names = declared(folder, prefix)
    return [node(names, script, kind.base) for script, kind in family_scripts(folder, prefix)]


def node(names: ModuleType, script: str, base: type[ScriptNode]) -> type[ScriptNode]:
    models, known = names.NewModels, table(script) or {}
    taken = ForwardOptions(*(name for name in models.model_fields if name in known))
    sockets = {"models": (Annotated[models, taken], ...)} if taken.fields else {}
    inputs = create_model("Inputs", __base__=getattr(names, f"New{base.__name__}Fields"), **sockets)  # type: ignore[call-overload]
    family = Family("new", "New", "new", "networks.lora_new", **spellings(names))
    size = next((name for name in ("image_size", "video_size") if name in known), "")
    made = {"id": script, "title": script, "script": script, "family": family, "Inputs": inputs, "size_option": size}
    return type("New", (base,), made)


def spellings(names: ModuleType) -> dict[str, Any]:
    """What the proposal says for the family's description."""
    found = {kind: getattr(names, f"NEW_{kind.upper()}", None) for kind in ("trainer_options", "generator_options")}
    return {kind: spelling for kind, spelling in found.items() if spelling}


@pytest.mark.parametrize("prefix", FAMILIES)
def test_a_node_of_proposed_fields_alone_is_accepted_by_its_script(checkout: Path, prefix: str) -> None:
    told = re.findall(r"# this script has no --(\w+)", proposal(checkout, prefix, "New", Config()))
    for made in nodes(checkout, prefix):
        assert not set_twice(made), made
        for case in cases([made]):
            try:
                case.check()
            except MusubiError as error:
                assert any(f"--{option} " in str(error) for option in told), (case, error)


def test_what_others_own_already_is_left_out(checkout: Path) -> None:
    text = proposal(checkout, "qwen_image", "New", Config())
    fields = set(re.findall(r"^    (\w+): ", text, re.MULTILINE))
    runner_options = {
        "seed",
        "blocks_to_swap",
        "fp8_scaled",
        "attn_mode",
        "network_dim",
        "learning_rate",
        "optimizer_type",
    }
    assert not fields & (runner_options | {"save_path", "output_dir", "device", "interactive", "prompt", "lora_weight"})
    assert {"dit", "vae", "text_encoder", "model_version", "num_layers", "guidance_scale"} <= fields
    assert "--exclude_patterns takes several values" in text and 'fp8_text_encoder="fp8_vl"' in text


def test_types_choices_and_ranges_are_the_scripts_own(checkout: Path) -> None:
    text = proposal(checkout, "qwen_image", "New", Config())
    assert 'Annotated[Literal["en", "cn"] | None, Option()] = Field(None, ' in text
    assert "infer_steps: Annotated[int, Option()] = Field(25, ge=0, le=1000, " in text


def test_pictures_and_videos_of_a_script_are_marked_fields(checkout: Path) -> None:
    text = proposal(checkout, "qwen_image", "New", Config())
    assert "class NewImageGeneratorFields(ImageGeneratorInputs)" in text
    assert 'control_image: Annotated[Any, Picture("control_image_path", several=True)]' in text
    assert 'image: Annotated[Any, Picture("image_path")]' in proposal(checkout, "hv_1_5", "New", Config())


@pytest.mark.parametrize("prefix", FAMILIES)
def test_what_shared_nodes_set_is_not_proposed(checkout: Path, prefix: str) -> None:
    models, rest = proposal(checkout, prefix, "New", Config()).split("class NewLatentCacheFields")
    assert "override_dit" not in models
    trainer = rest.split("class NewLoRATrainerFields")[1].split("class ")[0]
    shared = {name for model in (Training, Network, Optimizer, Sampling, Memory) for name in model.model_fields}
    assert not shared & set(re.findall(r"^    (\w+): ", trainer, re.MULTILINE))


SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--dataset_config")
parser.add_argument("--depth", help="how deep / 深さ")
parser.add_argument("--mode", choices=["a", "b"], help="the mode")
parser.parse_args()
"""


def test_a_script_that_no_release_has_is_asked(tmp_path: Path, musubi_surroundings: Path) -> None:
    (tmp_path / "bird_cache_latents.py").write_text(SCRIPT, "utf-8")
    config = Config(installs={"mine": InstallConfig(root=str(tmp_path), python=sys.executable)})
    fields = declared(tmp_path, "bird", config).NewLatentCacheFields.model_fields
    assert fields["depth"].description == "How deep" and fields["mode"].description == "The mode"
    assert fields["mode"].annotation == Literal["a", "b"] | None
    with fails("script-options-unknown", "bird_cache_latents.py"):
        proposal(tmp_path, "bird", "New", Config())


def test_another_prefix_is_refused_with_those_that_are_there(checkout: Path) -> None:
    with fails("script-missing", "qwen_imag_*.py", "'qwen_image'"):
        proposal(checkout, "qwen_imag", "New", Config())
