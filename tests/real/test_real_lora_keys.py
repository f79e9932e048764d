"""Would ComfyUI load our LoRAs? ComfyUI's own LoRA code answers: ``COMFYUI_ROOT=... pytest -m comfyui``.

The LoRAs come from the miniature and, with MUSUBI_TUNER_ROOT, from the real scripts with toy weights.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.real.comfy import comfyui
from tests.real.pictures import CONTROLS, controls
from tests.real.toys import MODELS, trained, videos
from tests.recognition.headers import weights_file

from musubi_nodes.config import load_config
from musubi_nodes.families import Header, modules_in
from musubi_nodes.families.recognition.loras import lora_name
from musubi_nodes.plugins.manager import plugins
from musubi_nodes.runs.install import Demo
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.workplace import TOML, Workplace
from musubi_nodes.weights import read_header
from musubi_nodes_lora_tools.names import families_of, wrong_names

pytestmark = pytest.mark.comfyui

KEYS = Path(__file__).with_name("comfyui_lora_keys.py")
FAMILIES = {"Wan": ("wan", "WAN21"), "HunyuanVideo": ("hunyuan", "HunyuanVideo")}
"""How the nodes' names begin -> the family's key, and the model that ComfyUI takes its DiT for."""
PASSED_OVER = {"Wan": set(), "HunyuanVideo": {"img_mlp_fc1", "img_mlp_fc2", "txt_mlp_fc1", "txt_mlp_fc2"}}
"""What ComfyUI passes over in a LoRA of musubi-tuner's own format: it calls HunyuanVideo's layers mlp.0 and mlp.2."""


@pytest.fixture(params=["miniature", "real"])
def place(request: Any, own_surroundings: Path, tmp_path: Path) -> Workplace:
    """A workplace on the miniature, and one on the real musubi-tuner."""
    real = request.param == "real"
    config = request.getfixturevalue("toy_config") if real else 'install = "miniature"\n'
    (own_surroundings / "config.toml").write_text(config, "utf-8")
    load_config.cache_clear()
    plugins.cache_clear()
    return Workplace(tmp_path)


def models_of(place: Workplace, name: str, family: str) -> Any:
    demo = place.services.install().demos.get(family, Demo(MODELS[name]))
    return place.run(f"{name}Models", **demo.models).models


def comfyui_says(dit: Path, *loras: Path) -> tuple[str, list[set[str]]]:
    """The model that ComfyUI takes the DiT for, and the modules of each LoRA that it passes over."""
    root, python = comfyui()
    command = [str(python), str(KEYS), str(root), str(dit), *map(str, loras)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    passed_over = (Header(dict.fromkeys(keys), {}) for keys in answer["not_loaded"].values())
    return answer["model"], [set(modules_in(header)) for header in passed_over]


def linear_layers(dit: Path) -> list[str]:
    """The layers of a DiT's blocks that a LoRA could change."""
    shapes = {name: tensor.shape for name, tensor in read_header(dit).tensors.items()}
    found = (name.removesuffix(".weight") for name, shape in shapes.items() if len(shape) == 2 and "blocks." in name)
    return sorted(name for name in found if "refiner" not in name and "norm" not in name)


@pytest.mark.parametrize("name", FAMILIES)
def test_comfyui_loads_a_converted_lora_whole_and_says_what_it_passes_over(place: Workplace, name: str) -> None:
    family, expected = FAMILIES[name]
    models = models_of(place, name, family)
    lora = trained(place, name, models, place.dataset()).lora
    other = place.run("LoRAFormatConverter", lora=lora).lora
    model, (own, converted) = comfyui_says(Path(models.dit), lora.path, other.path)
    assert model == expected
    assert converted == set() and len(set(modules_in(read_header(other.path)))) > 5
    assert {module.split("_", 3)[-1] for module in own} == PASSED_OVER[name]


@pytest.mark.parametrize("place", ["real"], indirect=True)
def test_comfyui_loads_a_qwen_image_lora_whole_in_either_format(place: Workplace) -> None:
    models = models_of(place, "QwenImage", "qwen_image")
    lora = trained(place, "QwenImage", models, place.dataset()).lora
    other = place.run("LoRAFormatConverter", lora=lora).lora
    model, passed_over = comfyui_says(Path(models.dit), lora.path, other.path)
    assert model == "QwenImage" and passed_over == [set(), set()]
    family = next(f for f in place.services.families if f.key == "qwen_image")
    assert wrong_names(read_header(other.path), family) == [] and len(set(modules_in(read_header(other.path)))) > 5


AS_IT_IS = {
    "FluxKontext": ("flux_kontext", "Flux", {}),
    "Flux2": ("flux_2", "Flux2", {"model_version": "klein-base-4b"}),
    "Krea2": ("krea_2", "Krea2", {}),
}
"""How the nodes' names begin -> the family's key, ComfyUI's model, and a widget of the models node."""


@pytest.mark.parametrize("place", ["real"], indirect=True)
@pytest.mark.parametrize("name", AS_IT_IS)
def test_comfyui_loads_a_lora_whole_as_it_is_where_the_converters_names_are_wrong(place: Workplace, name: str) -> None:
    key, expected, version = AS_IT_IS[name]
    models = place.run(f"{name}Models", **MODELS[name], **version).models
    controls(place, 2)
    toml = place.dataset(count=2, toml=TOML + (CONTROLS if name == "FluxKontext" else ""))
    lora = trained(place, name, models, toml).lora
    if not (comfyui()[0] / "comfy" / "text_encoders" / "krea2.py").is_file() and expected != "Flux":
        pytest.skip(f"this ComfyUI does not know {expected}")
    model, passed_over = comfyui_says(Path(models.dit), lora.path)
    assert model == expected and passed_over == [set()]
    family = next(f for f in place.services.families if f.key == key)
    assert families_of(read_header(lora.path), [family]) == [family] and family.not_convertible
    with fails("lora-not-convertible"):
        place.run("LoRAFormatConverter", lora=lora)


@pytest.mark.parametrize(("name", "dit"), [("Wan", "wan_i2v_14b"), ("HunyuanVideo", "hunyuan_video_t2v")])
def test_the_converters_check_agrees_with_comfyui_on_right_and_wrong_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, dit: str
) -> None:
    from safetensors.numpy import save_file

    monkeypatch.setenv("MUSUBI_NODES_INSTALL", "miniature")
    path = plugins().install("miniature").models["diffusion_models"] / f"{dit}.safetensors"
    right = linear_layers(path)
    wrong = {layer.replace("_", ".", 1) for layer in right} | {layer.replace("cross", "self") for layer in right}
    zero = np.zeros((1, 1), np.float32)
    names = [f"diffusion_model.{layer}.lora_{half}.weight" for layer in {*right, *wrong} for half in "AB"]
    save_file(dict.fromkeys(names, zero), tmp_path / "all.safetensors")
    family = next(f for f in plugins().families if f.key == FAMILIES[name][0])
    found = set(wrong_names(read_header(tmp_path / "all.safetensors"), family))
    assert found == comfyui_says(path, tmp_path / "all.safetensors")[1][0]
    assert found and not found & set(right)


def test_every_module_of_a_framepack_lora_is_in_its_dit(place: Workplace) -> None:
    models = models_of(place, "FramePack", "framepack")
    lora = trained(place, "FramePack", models, videos(place.folder / "videos")).lora
    known = {layer.replace(".", "_"): layer for layer in linear_layers(Path(models.dit))}
    assert set(modules_in(read_header(lora.path))) == known.keys()
    family = next(f for f in place.services.families if f.key == "framepack")
    assert wrong_names(Header(dict.fromkeys(f"{layer}.alpha" for layer in known.values()), {}), family) == []


Z_IMAGE = {
    "cap_embedder.1.weight": (3840, 2560),
    "cap_pad_token": (1, 3840),
    "noise_refiner.0.attention.k_norm.weight": (128,),
    **{f"layers.{number}.ffn_norm1.weight": (3840,) for number in range(4)},
}
"""What ComfyUI knows Z-Image's DiT by, with as many layers as the toys have at most."""


def test_comfyui_loads_a_converted_lora_of_z_image_whole(place: Workplace, tmp_path: Path) -> None:
    if not (comfyui()[0] / "comfy" / "text_encoders" / "z_image.py").is_file():
        pytest.skip("this ComfyUI does not know Z-Image")
    lora = trained(place, "ZImage", models_of(place, "ZImage", "z_image"), place.dataset()).lora
    assert lora.family == "z_image" and lora_name(read_header(lora.path)).startswith("a LoRA of Z-Image in")
    other = place.run("LoRAFormatConverter", lora=lora).lora
    dit = weights_file(tmp_path / "dit.safetensors", Z_IMAGE)
    model, (converted,) = comfyui_says(dit, other.path)
    assert (model, converted) == ("Lumina2", set()) and len(set(modules_in(read_header(other.path)))) > 5
    family = next(f for f in place.services.families if f.key == "z_image")
    assert wrong_names(read_header(other.path), family) == []
