"""HunyuanVideo, FramePack and the LoRA tools on the real scripts: ``MUSUBI_TUNER_ROOT=... pytest -m musubi``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.real.toys import MODELS, trained, videos

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.media.probe import probe
from musubi_nodes.testing.workplace import Workplace
from musubi_nodes.weights import read_header

pytestmark = pytest.mark.musubi

SIZE = {"width": 96, "height": 64, "infer_steps": 2, "prompt": "a square"}


def weights(path: Path) -> dict[str, Any]:
    """Effective weights of a LoRA in either format: up x down x alpha / rank."""
    from safetensors.numpy import load_file

    tensors, found = load_file(path), {}
    for name, down in tensors.items():
        for low, high in ((".lora_down.", ".lora_up."), (".lora_A.", ".lora_B.")):
            if low in name:
                alpha = tensors.get(f"{name.split(low)[0]}.alpha")
                scale = float(alpha) / down.shape[0] if alpha is not None else 1.0
                module = name.split(low)[0].removeprefix("lora_unet_").removeprefix("diffusion_model.")
                product = tensors[name.replace(low, high)].astype(np.float64) @ down.astype(np.float64)
                found[module.replace(".", "_")] = product * scale
    return found


def bfloat16(path: Path) -> dict[str, Any]:
    """The tensors of a file in bfloat16, which numpy does not have: the upper half of a float32."""
    from safetensors import deserialize

    return {
        name: (np.frombuffer(bytes(tensor["data"]), "<u2").astype("<u4") << 16).view("<f4").reshape(tensor["shape"])
        for name, tensor in deserialize(path.read_bytes())
    }


def test_hunyuan_video_and_its_lora_through_all_tools(place: Workplace) -> None:
    from safetensors.numpy import load_file

    models = place.run("HunyuanVideoModels", **MODELS["HunyuanVideo"]).models
    sampling = place.run(
        "SamplingConfig", sample_every_n_epochs=1, sample_prompts="I see it", sample_width=96, sample_height=64,
        sample_steps=2,
    ).sampling  # fmt: skip
    made = trained(place, "HunyuanVideo", models, place.dataset(), sampling=sampling)
    assert any(
        name.startswith("lora_unet_double_blocks_0_img_attn_qkv.") for name in read_header(made.lora.path).tensors
    )
    assert list((made.run.folder / "out" / "sample").iterdir())
    both = place.run("HunyuanVideoGenerator", models=models, lora=made.lora, video_length=5, output_type="both", **SIZE)
    assert probe(both.video.path).frames == 5
    again = place.run("HunyuanVideoGenerator", models=models, latent=both.latent, width=96, height=64)
    assert probe(again.video.path).frames == 5
    other = place.run("LoRAFormatConverter", lora=made.lora).lora
    back = place.run("LoRAFormatConverter", lora=other).lora
    first, last = weights(made.lora.path), weights(back.path)
    assert first.keys() == weights(other.path).keys() == last.keys()
    assert max(np.abs(first[name] - last[name]).max() for name in first) < 1e-5
    merged = place.run("LoRAMerger", lora=made.lora.model_copy(update={"multiplier": 0.5}), dit="hv_dit.safetensors")
    before, after = bfloat16(Path(models.dit)), bfloat16(Path(merged.path))
    assert before.keys() == after.keys()
    for name, old in before.items():
        module = name.removesuffix(".weight").replace(".", "_")
        expected = old + 0.5 * first.get(module, np.zeros(1))
        assert (np.abs(after[name] - expected) <= np.abs(expected) * 2**-8 + 1e-5).all(), name
    checkpoints = [load_file(made.run.folder / "out" / f"my_lora{end}.safetensors") for end in ("-000001", "")]
    averaged = load_file(place.run("LoRAPostHocEMA", run=made.run, beta=0.75).lora.path)
    for name, found in averaged.items():
        assert np.abs(found - (0.75 * checkpoints[0][name] + 0.25 * checkpoints[1][name])).max() < 1e-5


def test_a_lora_of_wan_there_and_back(place: Workplace) -> None:
    models = place.run("WanModels", dit="wan21_dit.safetensors", vae="wan_vae.safetensors", t5="t5.safetensors").models
    made = trained(place, "Wan", models, place.dataset())
    other = place.run("LoRAFormatConverter", lora=made.lora).lora
    back = place.run("LoRAFormatConverter", lora=other).lora
    first, between, last = (weights(lora.path) for lora in (made.lora, other, back))
    assert first.keys() == between.keys() == last.keys()
    assert max(np.abs(first[name] - last[name]).max() for name in first) < 1e-5
    assert max(np.abs(first[name] - between[name]).max() for name in first) < 1e-5


def test_framepack_by_sections(place: Workplace) -> None:
    models = place.run("FramePackModels", **MODELS["FramePack"]).models
    made = trained(place, "FramePack", models, videos(place.folder / "videos"))
    place.dataset()
    picture = ImageFiles((place.folder / "pictures" / "p0.png",))
    first = place.run("FramePackSection", prompt="first").section
    parts = place.run("FramePackSection", prompt="then", previous=first, image=picture).section
    video = place.run(
        "FramePackGenerator", models=models, lora=made.lora, image=picture, section=parts, video_frames=17,
        latent_window_size=2, **SIZE,
    ).video  # fmt: skip
    assert probe(video.path).frames == 17
