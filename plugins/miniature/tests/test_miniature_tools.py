"""convert_lora, merge_lora and lora_post_hoc_ema compute what the real scripts compute."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as library_load

from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.convert import module_of
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.merge import NEEDED
from musubi_nodes_miniature.checkout.src.musubi_tuner.miniature.tensors import (
    Tensor,
    from_bfloat16,
    load,
    metadata_of,
    model_hashes,
    pack,
    save,
    to_bfloat16,
)

Run = Callable[..., object]
NAME = "lora_unet_double_blocks_0_img_attn_qkv"


def lora(path: Path, factor: float = 1.0, alpha: float = 2.0, name: str = NAME) -> dict[str, Tensor]:
    """A file with one module of rank 4, 6 inputs and 5 outputs."""
    tensors = {
        f"{name}.alpha": Tensor(np.array(alpha, np.float32)),
        f"{name}.lora_down.weight": Tensor(factor * np.arange(24, dtype=np.float32).reshape(4, 6)),
        f"{name}.lora_up.weight": Tensor(factor * np.arange(20, dtype=np.float32).reshape(5, 4)),
    }
    metadata = {"ss_network_alpha": str(alpha)}
    save(path, tensors, metadata | model_hashes(tensors, metadata))
    return tensors


def test_convert_there_and_back(script: Run, tmp_path: Path) -> None:
    before = lora(tmp_path / "a.safetensors")
    for source, target in (("a", "other"), ("other", "default")):
        args = ("--input", tmp_path / f"{source}.safetensors", "--output", tmp_path / f"{target}.safetensors")
        done = script("convert_lora.py", *args, "--target", target)
        assert done.returncode == 0 and done.stderr.endswith("INFO:__main__:done\n")
    other = load(tmp_path / "other.safetensors")
    module = "diffusion_model.double_blocks.0.img_attn_qkv"
    assert set(other) == {f"{module}.lora_A.weight", f"{module}.lora_B.weight"}
    assert np.allclose(other[f"{module}.lora_A.weight"].values, before[f"{NAME}.lora_down.weight"].values * 0.5**0.5)
    after = load(tmp_path / "default.safetensors")
    assert after[f"{NAME}.alpha"].dtype == "I64" and int(after[f"{NAME}.alpha"].values) == 4
    change = [t[f"{NAME}.lora_up.weight"].values @ t[f"{NAME}.lora_down.weight"].values for t in (before, after)]
    assert np.allclose(change[0] * 2 / 4, change[1])
    assert metadata_of(tmp_path / "other.safetensors") == metadata_of(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("blocks_1_cross_attn_k_img", "blocks.1.cross_attn.k_img"),
        ("blocks_0_ffn_2", "blocks.0.ffn.2"),
        ("single_blocks_3_linear1", "single_blocks.3.linear1"),
        ("single_transformer_blocks_0_attn_to_k", "single.transformer.blocks.0.attn.to.k"),
    ],
)
def test_module_names_as_upstream_guesses_them(name: str, module: str) -> None:
    assert module_of(name) == module


def test_the_wrong_way_round_writes_an_empty_file(script: Run, tmp_path: Path) -> None:
    lora(tmp_path / "a.safetensors", name="something_else")
    args = ("--input", tmp_path / "a.safetensors", "--output", tmp_path / "b.safetensors", "--target", "default")
    done = script("convert_lora.py", *args)
    assert done.returncode == 0 and load(tmp_path / "b.safetensors") == {}
    assert "unexpected key: something_else.alpha in diffusers format" in done.stderr


@pytest.mark.parametrize(
    ("options", "betas"),
    [
        (["--beta", "0.9"], [0.9, 0.9]),
        (["--beta", "0.9", "--beta2", "0.5"], [0.9, 0.5]),
        (["--sigma_rel", "0.2"], [0.0, 0.14098]),
    ],
)
def test_post_hoc_ema(options: list[str], betas: list[float], script: Run, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.safetensors" for number in (3, 1, 2)]
    for number, file in enumerate(files):
        lora(file, factor=number + 1.0)
        os.utime(file, (1000 + number, 1000 + number))
    out = tmp_path / "ema.safetensors"
    done = script("lora_post_hoc_ema.py", *reversed(files), *options, "--output_file", out)
    assert done.returncode == 0 and done.stdout.endswith("Merging completed successfully.\n")
    factor = 1.0
    for number, beta in enumerate(betas):
        factor = factor * beta + (number + 2.0) * (1 - beta)
    merged = load(out)
    assert np.allclose(merged[f"{NAME}.lora_up.weight"].values, np.arange(20).reshape(5, 4) * factor, atol=1e-3)
    assert float(merged[f"{NAME}.alpha"].values) == 2.0
    metadata = metadata_of(out) or {}
    assert metadata["sshs_model_hash"] == model_hashes(merged, metadata)["sshs_model_hash"]


def test_post_hoc_ema_refuses_different_alphas(script: Run, tmp_path: Path) -> None:
    lora(tmp_path / "a.safetensors")
    lora(tmp_path / "b.safetensors", alpha=3.0)
    files = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    done = script("lora_post_hoc_ema.py", *files, "--no_sort", "--output_file", tmp_path / "c.safetensors")
    assert done.stderr.splitlines()[-1].startswith("ValueError: Alpha tensors for key ")


def test_merge(script: Run, tmp_path: Path) -> None:
    change = lora(tmp_path / "a.safetensors")
    weight = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    dit = {name: Tensor(np.ones(3, np.float32), "BF16") for name in NEEDED}
    dit["double_blocks.0.img_attn_qkv.weight"] = Tensor(weight, "BF16")
    save(tmp_path / "dit.safetensors", dit)
    out = tmp_path / "merged.safetensors"
    args = ("--dit", tmp_path / "dit.safetensors", "--save_merged_model", out, "--lora_multiplier", 0.5)
    done = script("merge_lora.py", *args, "--lora_weight", tmp_path / "a.safetensors")
    assert done.returncode == 0 and "create LoRA for U-Net/DiT: 1 modules." in done.stderr
    merged = load(out)
    assert set(merged) == set(dit) and {tensor.dtype for tensor in merged.values()} == {"BF16"}
    product = change[f"{NAME}.lora_up.weight"].values @ change[f"{NAME}.lora_down.weight"].values
    expected = from_bfloat16(to_bfloat16(weight)) + 0.5 * 0.5 * product
    assert np.allclose(merged["double_blocks.0.img_attn_qkv.weight"].values, expected, rtol=0.01)


def test_merge_knows_hunyuan_video_only(script: Run, models: dict[str, Path], tmp_path: Path) -> None:
    done = script("merge_lora.py", "--dit", models["wan_t2v_14b"], "--save_merged_model", tmp_path / "x.safetensors")
    assert done.returncode == 1
    assert "RuntimeError: Error(s) in loading state_dict for HYVideoDiffusionTransformer:" in done.stderr


def test_files_are_readable_by_the_library() -> None:
    tensors = {"b": Tensor(np.arange(3, dtype=np.float32)), "a": Tensor(np.array(7, np.int64), "I64")}
    read = library_load(pack(tensors, {"key": "ü"}))
    assert read["b"].tolist() == [0, 1, 2] and int(read["a"]) == 7


def test_bfloat16_rounds_to_nearest_even() -> None:
    values = np.array([1.0, 1.00390625, 1.01171875, -3.1415927, np.inf, np.nan, 0.0], np.float32)
    back = from_bfloat16(to_bfloat16(values))
    assert np.array_equal(back, np.array([1.0, 1.0, 1.015625, -3.140625, np.inf, np.nan, 0.0]), equal_nan=True)
