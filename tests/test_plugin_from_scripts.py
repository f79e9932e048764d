"""``new-plugin --scripts``: a whole plugin from a family's scripts, which keeps its contract as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest

from musubi_nodes.commands.tables import scripts
from musubi_nodes.families import PICTURES, Install, LoRATrainerInputs
from musubi_nodes.families.settings import Memory, Network, Optimizer, Sampling, Training
from musubi_nodes.hosts.terminal.cli import main
from musubi_nodes.hosts.terminal.from_scripts import plugin_files
from musubi_nodes.hosts.terminal.new_plugin import PICTURE_EXAMPLE, names_of, scaffold
from musubi_nodes.plugins.declared import problems_of
from musubi_nodes.testing.contract import check_all, set_twice
from musubi_nodes.testing.errors import fails

FAMILIES = {
    **dict.fromkeys(["qwen_image", "zimage", "flux_kontext", "flux_2", "krea2", "ideogram4", "hidream_o1"], "images"),
    **dict.fromkeys(["hv_1_5", "wan", "fpack", "hv", "kandinsky5"], "video"),
}
SHARED = {name for model in (Training, Network, Optimizer, Sampling, Memory) for name in model.model_fields}
TRAINING = """
```bash
accelerate launch src/musubi_tuner/{prefix}_train_network.py \\
    --dit path/to/dit --timestep_sampling shift --discrete_flow_shift 2.5 \\
    --network_module networks.lora_new --network_dim 32
```
"""


@pytest.fixture
def install(tmp_path: Path, musubi_surroundings: Path) -> Install:
    """All scripts of a musubi-tuner, whose --help says nothing: their options are the newest table's."""
    folder = tmp_path / "musubi-tuner" / "src" / "musubi_tuner"
    (folder / "dataset").mkdir(parents=True)
    for name in scripts():
        (folder / name).write_text("", "utf-8")
    (folder / "dataset" / "architectures.py").write_text(
        'ARCHITECTURE_NEW = "nw"\nARCHITECTURE_OTHER = "ot"\n', "utf-8"
    )
    (folder.parents[1] / "pyproject.toml").write_text('[project]\nversion = "0.3.4"\n', "utf-8")
    (folder.parents[1] / "docs").mkdir()
    return Install("mine", folder.parents[1], Path(sys.executable))


Write = Callable[[str], ModuleType]


@pytest.fixture
def written(install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the plugin of a family and returns its nodes module."""

    def write(prefix: str) -> ModuleType:
        files, _ = plugin_files(scaffold(PICTURE_EXAMPLE, "new-bird"), install, prefix, names_of("new-bird"))
        for path, text in files.items():
            (tmp_path / "plugin" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "plugin" / path).write_text(text, "utf-8")
        name = f"written_{prefix}"
        spec = spec_from_file_location(name, tmp_path / "plugin" / "src/musubi_nodes_new_bird/nodes.py")
        assert spec and spec.loader
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return write


def source(tmp_path: Path) -> str:
    return (tmp_path / "plugin" / "src/musubi_nodes_new_bird/nodes.py").read_text("utf-8")


@pytest.mark.parametrize(("prefix", "medium"), FAMILIES.items())
def test_its_nodes_are_right_as_they_are_written(written: Write, tmp_path: Path, prefix: str, medium: str) -> None:
    module = written(prefix)
    assert [problems_of(node) for node in module.NODES] == [()] * len(module.NODES)
    check_all(module.NODES)
    assert not [node for node in module.NODES if hasattr(node, "script") and set_twice(node)]
    assert (module.NEW_BIRD.frame_rule == PICTURES) is (medium == "images")
    outputs = [node.Outputs.model_fields for node in module.NODES if node.__name__ == "NewBirdGenerator"]
    assert [medium in each for each in outputs] == [True] * (prefix != "kandinsky5")  # which writes no folder
    files = [file for file in (tmp_path / "plugin").rglob("*") if file.suffix in (".py", ".md", ".toml")]
    text = "\n".join(file.read_text("utf-8") for file in files)
    assert not re.search("magpie|heron", text, re.IGNORECASE) and (prefix == "wan" or "wan_" not in text)
    check_ruff(tmp_path / "plugin")


def check_ruff(folder: Path) -> None:
    """Its form is ruff's, where ruff is installed (the extra dev)."""
    for command in (["format", "--check"], ["check"]) if find_spec("ruff") else ():
        words = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_checkout_names_architecture_network_and_defaults(install: Install, written: Write, tmp_path: Path) -> None:
    cache = install.script("krea2_cache_latents.py")
    cache.write_text(
        "from musubi_tuner.dataset.architectures import ARCHITECTURE_NEW, ARCHITECTURE_NEW_FULL\n", "utf-8"
    )
    (install.root / "docs" / "krea2.md").write_text(TRAINING.format(prefix="krea2"), "utf-8")
    family = written("krea2_*").NEW_BIRD
    assert (family.architecture, family.network_module) == ("nw", "networks.lora_new")
    assert family.training_defaults == {"timestep_sampling": "shift", "discrete_flow_shift": 2.5}


def test_what_shared_nodes_set_is_not_proposed(written: Write) -> None:
    nodes = {node.__name__.removeprefix("NewBird"): node for node in written("qwen_image").NODES}
    trained = nodes["LoRATrainer"].Inputs.model_fields.keys() - LoRATrainerInputs.model_fields.keys()
    assert "num_layers" in trained and not trained & SHARED
    assert not nodes["Generator"].Inputs.model_fields.keys() & {"save_path", "interactive", "attn_mode", "lora_weight"}


def test_types_choices_and_defaults_are_the_scripts_own(written: Write) -> None:
    module = written("qwen_image")
    generator = next(node for node in module.NODES if node.__name__ == "NewBirdGenerator").Inputs.model_fields
    assert generator["infer_steps"].default == 25 and generator["infer_steps"].annotation is int
    assert module.NewBirdModels.version_field == "model_version"
    assert module.NEW_BIRD.fp8_text_encoder == "fp8_vl" and "override_dit" not in module.NewBirdModels.model_fields


def test_prompts_of_a_batch_reach_fields_that_the_script_calls_otherwise(written: Write) -> None:
    generator = next(node for node in written("krea2").NODES if node.__name__ == "NewBirdGenerator")
    assert generator.replaced()["steps"] == "infer_steps" and generator.size_option == ""
    assert "output_type" not in generator.Inputs.model_fields and "latent" not in generator.Outputs.model_fields


def test_pictures_are_marked_fields_and_samples_have_their_own(written: Write, tmp_path: Path) -> None:
    written("qwen_image")
    text = source(tmp_path)
    assert 'mn.Picture("control_image_path", several=True)' in text and "control_images=mn.PictureCount()" in text
    assert "sample_control_image: mn.SampleControl" in text


def test_a_prompt_line_is_what_the_script_reads(install: Install, written: Write) -> None:
    lines = 'if option == "w":\n    pass\nelif option == "g" or option == "l":\n    pass\n# elif option == "n":\n'
    install.script("zimage_generate_image.py").write_text(lines, "utf-8")
    generator = next(node for node in written("zimage").NODES if node.__name__ == "NewBirdGenerator")
    assert generator.prompt_line == {"width": "w", "cfg_scale": "g"}


SCRIPT = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--dataset_config")
parser.add_argument("--depth", help="how deep / 深さ")
parser.add_argument("--mode", choices=["a", "b"], help="the mode")
parser.parse_args()
"""


def test_a_script_that_no_release_has_is_asked_and_declared_newer(install: Install, written: Write) -> None:
    (install.root / "pyproject.toml").write_text('[project]\nversion = "9.0.0"\n', "utf-8")
    (install.root / "src/musubi_tuner/bird_cache_latents.py").write_text(SCRIPT, "utf-8")
    (cache,) = (node for node in written("bird").NODES if hasattr(node, "script"))
    fields = cache.Inputs.model_fields
    assert fields["depth"].description == "How deep." and fields["mode"].annotation == Literal["a", "b"] | None
    assert cache.script_since == "9.0.0" and problems_of(cache) == ()


def test_a_help_that_fails_is_told_with_its_reason(install: Install) -> None:
    install.script("krea2_cache_latents.py").write_text("raise SystemExit('no CUDA here')", "utf-8")
    _, notes = plugin_files(scaffold(PICTURE_EXAMPLE, "new-bird"), install, "krea2", names_of("new-bird"))
    assert any("krea2_cache_latents.py" in note and "no CUDA here" in note for note in notes)


def test_a_script_that_is_unknown_and_cannot_be_asked_is_refused(install: Install) -> None:
    (install.root / "src/musubi_tuner/bird_cache_latents.py").write_text("raise SystemExit('no')", "utf-8")
    with fails("script-options-unknown", "bird_cache_latents.py", "no"):
        plugin_files({}, install, "bird", names_of("new-bird"))


def test_another_pattern_is_refused_with_those_that_are_there(install: Install) -> None:
    with fails("script-missing", "qwen_imag_*.py", "'qwen_image'"):
        plugin_files({}, install, "qwen_imag", names_of("new-bird"))


def test_the_command_takes_the_configured_install(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUSUBI_TUNER_ROOT", str(install.root))
    monkeypatch.setenv("MUSUBI_TUNER_PYTHON", str(install.python))
    assert main(["new-plugin", "new-bird", "--scripts", "krea2", "--into", str(tmp_path)]) == 0
    made = tmp_path / "musubi-nodes-new-bird"
    assert "krea2_train_network.py" in (made / "README.md").read_text("utf-8")
    assert {file.name for file in (made / "tests").iterdir()} == {"test_contract.py", "test_real.py"}
    assert "src/musubi_nodes_new_bird/nodes.py" in capsys.readouterr().out
