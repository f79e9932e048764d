"""Traps of the real program (facts on v0.3.4) that concern Wan or all scripts, row by row.

Each is refused before anything starts, or turned into an explained error afterwards, or made impossible by what is
always sent. A silent "success" would be a failure here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.errors import MusubiError

BOTH = {
    "task": "t2v-A14B",
    "dit": "miniature/wan22_t2v_low.safetensors",
    "dit_high_noise": "miniature/wan22_t2v_high.safetensors",
}
I2V = {
    "task": "i2v-14B",
    "dit": "miniature/wan_i2v_14b.safetensors",
    "clip": "miniature/clip_vision_h.safetensors",
}

NO_BUCKET = """[general]
caption_extension = ".txt"
resolution = [100, 64]
enable_bucket = false
[[datasets]]
image_directory = '{folder}'
"""
MISSING_FOLDER = """[general]
caption_extension = ".txt"
[[datasets]]
image_directory = '{folder}_typo'
"""

Provoke = Callable[[Any], Any]


def toml(text: str) -> Provoke:
    """Load a dataset whose TOML is ``text``."""
    return lambda p: p.caches(p.dataset(toml=text))


def lines(*changed: str, general: str = "", drop: str = "") -> Provoke:
    """The usual TOML with lines added to the dataset or to [general]."""

    def provoke(p: Any) -> Any:
        path = p.dataset()
        text = path.read_text("utf-8").replace("[general]", "[general]\n" + general) + "\n".join(changed) + "\n"
        path.write_text("\n".join(line for line in text.splitlines() if not drop or drop not in line), "utf-8")
        return p.caches(path)

    return provoke


def files(change: Callable[[Path], Any]) -> Provoke:
    """The usual dataset with its folder changed."""

    def provoke(p: Any) -> Any:
        path = p.dataset()
        change(path.with_suffix(""))
        return p.caches(path)

    return provoke


def bytes_of_toml(data: bytes) -> Provoke:
    def provoke(p: Any) -> Any:
        path = p.dataset()
        path.write_bytes(data)
        return p.caches(path)

    return provoke


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def video_dataset(text: str, frames: int = 5) -> Provoke:
    def provoke(p: Any) -> Any:
        import numpy as np

        from musubi_nodes.media.frames import save_video

        folder = p.folder / "videos"
        folder.mkdir()
        save_video(np.zeros((frames, 64, 96, 3), np.float32), folder / "v.mp4", 16)
        if "no-caption" not in text:
            (folder / "v.txt").write_text("a video", "utf-8")
        path = p.folder / "videos.toml"
        path.write_text(
            f'[general]\nresolution = [96, 64]\ncaption_extension = ".txt"\n[[datasets]]\n'
            f"video_directory = '{folder.as_posix()}'\n{text.replace('no-caption', '')}\n",
            "utf-8",
        )
        return p.caches(path)

    return provoke


def broken_video(p: Any) -> Any:
    with pytest.raises(MusubiError, match="N"):
        video_dataset("target_frames = [6]")(p)
    (p.folder / "videos" / "v.mp4").write_bytes(b"no video")
    return p.caches(p.folder / "videos.toml")


def shared_cache(p: Any) -> Any:
    path = p.dataset()
    block = f"image_directory = '{(p.folder / 'pictures').as_posix()}'\ncache_directory = 'c'\n"
    path.write_text('[general]\ncaption_extension = ".txt"\n' + f"[[datasets]]\n{block}" * 2, "utf-8")
    return p.caches(path)


def text_cache_gone(p: Any) -> Any:
    caches = p.caches()
    next(p.folder.glob("output/musubi/cache/**/*_te.safetensors")).unlink()
    p.forget()
    return p.train(caches)


def cache_cut_off(kind: str) -> Provoke:
    def provoke(p: Any) -> Any:
        caches = p.caches()
        ending = "_wan_te" if kind == "text" else "x0064_wan"
        file = next(p.folder.glob(f"output/musubi/cache/**/*{ending}.safetensors"))
        file.write_bytes(file.read_bytes()[:-40])
        p.forget()
        return p.train(caches)

    return provoke


def caches_gone(p: Any) -> Any:
    caches = p.caches()
    for file in p.folder.glob("output/musubi/cache/**/*.safetensors"):
        file.unlink()
    p.forget()
    return p.train(caches)


def caption_changed_between(p: Any) -> Any:
    caches = p.caches()
    (p.folder / "pictures" / "p1.txt").write_text("another", "utf-8")
    other = p.caches(p.folder / "pictures.toml")
    p.forget()
    return p.train({**caches, "text_cache": other["text_cache"]})


def foreign_lora(p: Any) -> Any:
    import numpy as np
    from safetensors.numpy import save_file

    folder = p.host.output_folder / "models" / "loras"
    folder.mkdir(parents=True)
    zeros = np.ones((4, 4), np.float32)
    save_file(
        {f"lora_unet_double_blocks_0_img_attn_qkv.lora_{half}.weight": zeros for half in ("up", "down")},
        folder / "hunyuan.safetensors",
    )
    return p.generate(lora=p.run("LoRASelect", lora="hunyuan.safetensors").lora)


def lora_in_other_format(p: Any) -> Any:
    import numpy as np
    from safetensors.numpy import save_file

    folder = p.host.output_folder / "models" / "loras"
    folder.mkdir(parents=True)
    half = np.ones((4, 4), np.float32)
    names = ("diffusion_model.blocks.0.self_attn.q.lora_A.weight", "diffusion_model.blocks.0.self_attn.q.lora_B.weight")
    save_file(dict.fromkeys(names, half), folder / "other.safetensors")
    return p.generate(lora=p.run("LoRASelect", lora="other.safetensors").lora)


def dataset_changed(p: Any) -> Any:
    caches = p.caches()
    (p.folder / "pictures" / "p1.txt").write_text("another caption", "utf-8")
    p.forget()
    return p.train(caches)


def no_lora(p: Any) -> Any:
    folder = p.host.output_folder / "models" / "loras"
    folder.mkdir(parents=True)
    (folder / "web.safetensors").write_bytes(b"<html>not found</html>" * 9)
    return p.run("LoRASelect", lora="web.safetensors")


def model_file(field: str, data: bytes) -> Provoke:
    def provoke(p: Any) -> Any:
        kind = {"dit": "diffusion_models", "vae": "vae", "t5": "text_encoders"}[field]
        folder = p.host.output_folder / "models" / kind
        folder.mkdir(parents=True)
        (folder / "bad.safetensors").write_bytes(data)
        return p.models(**{field: "bad.safetensors"})

    return provoke


def other_model(field: str, *names: str) -> Provoke:
    """A safetensors file of another model, by the names in it."""

    def provoke(p: Any) -> Any:
        import numpy as np
        from safetensors.numpy import save_file

        kind = {"dit": "diffusion_models", "vae": "vae", "t5": "text_encoders"}[field]
        folder = p.host.output_folder / "models" / kind
        folder.mkdir(parents=True)
        save_file({name: np.ones((4, 4), np.float32) for name in names}, folder / "other.safetensors")
        return p.models(**{field: "other.safetensors"})

    return provoke


def train_with(node: str = "", **values: Any) -> Provoke:
    """Train with one settings node's values, or with the trainer's own."""

    def provoke(p: Any) -> Any:
        caches = p.caches()
        p.forget()
        if not node:
            return p.train(caches, **values)
        name = {"TrainingConfig": "training", "OptimizerConfig": "optimizer", "SamplingConfig": "sampling"}
        return p.train(caches, **{name.get(node, "memory"): p.settings(node, **values)})

    return provoke


def train_models(models: dict[str, Any], **values: Any) -> Provoke:
    def provoke(p: Any) -> Any:
        caches = p.caches(models=p.models(**models))
        p.forget()
        return p.train(caches, **values)

    return provoke


def i2v_training_on_t2v_caches(p: Any) -> Any:
    caches = p.caches()
    p.forget()
    return p.train({**caches, "models": p.models(**I2V)})


def samples_of_i2v_without_picture(p: Any) -> Any:
    caches = p.caches(models=p.models(**I2V))
    p.forget()
    sampling = p.settings("SamplingConfig", sample_every_n_epochs=1, sample_prompts="a cat", sample_width=96,
                          sample_height=64)  # fmt: skip
    return p.train(caches, sampling=sampling)


def memory(**values: Any) -> Provoke:
    return lambda p: p.generate(memory=p.settings("MemoryOptimizer", **values))


REFUSED: dict[str, tuple[Provoke, str]] = {
    # section 7: silent successes
    "7 empty image folder": (files(empty), "no image|0 image|empty"),
    "7 missing folder, caches deleted": (toml(MISSING_FOLDER), "does not exist|missing"),
    "7 images without caption": (files(lambda f: (f / "p1.txt").unlink()), "caption"),
    "7 no captions at all": (files(lambda f: [t.unlink() for t in f.glob("*.txt")]), "caption"),
    "7 videos shorter than every target": (video_dataset("target_frames = [9, 17]"), "shorter|frames"),
    "7 items without text cache": (text_cache_gone, "no text cache"),
    "7 lora of another model": (foreign_lora, "does not fit the model"),
    "7 a web page as lora": (no_lora, "web page|no safetensors"),
    "7 save_merged_model writes nothing": (
        lambda p: p.generate(extra_options="save_merged_model = 'x.safetensors'"),
        "is refused",
    ),
    "7 samples without prompts": (train_with("SamplingConfig", sample_every_n_epochs=1), "sample_prompts is empty"),
    "7 i2v samples without picture": (samples_of_i2v_without_picture, "begin with a picture"),
    "7 no training steps": (train_with("TrainingConfig", max_train_epochs=0, max_train_steps=0), "not be trained"),
    "7 unknown key of a config file": (train_with(extra_options="lerning_rate = 1.0"), "did you mean 'learning_rate'"),
    "7 config_file itself": (train_with(extra_options="config_file = 'x.toml'"), "is refused"),
    # section 8: failures
    "8 unknown flag": (train_with(extra_options="input_lora = 'x'"), "not known to wan_train_network.py"),
    "8 bad choice": (train_with(extra_options="save_precision = 'bf15'"), "cannot be"),
    "8 bad number": (train_with(extra_options="ddp_timeout = 'x'"), "takes int"),
    "8 TOML missing": (lambda p: p.load(p.folder / "gone.toml"), "does not exist"),
    "8 TOML syntax": (bytes_of_toml(b"[general\nx = 1"), "line 1|line 2"),
    "8 TOML backslash": (bytes_of_toml(b'[[datasets]]\nimage_directory = "C:\\images\\x"'), "\\\\|backslash"),
    "8 TOML not UTF-8": (bytes_of_toml("[[datasets]]\n# \u00e4".encode("latin-1")), "UTF-8"),
    "8 TOML unknown key": (lines("cache_dir = 'x'"), "cache_directory"),
    "8 TOML wrong type": (lines("num_repeats = 'two'"), "num_repeats"),
    "8 no datasets": (toml("[general]\nbatch_size = 1\n"), "datasets"),
    "8 neither image nor video": (lines(drop="image_directory"), "image_directory|video_directory"),
    "8 shared cache folder": (shared_cache, "cache"),
    "8 no caption_extension": (lines(drop="caption_extension"), "caption_extension"),
    "8 video without caption": (video_dataset("target_frames = [5]\nno-caption"), "caption"),
    "8 broken image": (files(lambda f: (f / "p1.png").write_bytes(b"no picture")), "p1.png"),
    "8 broken video": (broken_video, "v.mp4"),
    "8 not UTF-8 caption": (files(lambda f: (f / "p1.txt").write_bytes(b"\xff\xfe\xe4")), "UTF-8"),
    "8 VAE missing": (lambda p: p.models(vae="gone.safetensors"), "no file 'gone.safetensors'"),
    "8 VAE not given": (lambda p: p.models(vae=""), "no file"),
    "8 wrong VAE": (other_model("vae", "encoder.conv_in.conv.weight"), "is not Wan's VAE"),
    "8 T5 with other names inside": (other_model("t5", "encoder.block.0.layer.0.weight"), "not Wan's own T5"),
    "8 path as model name": (lambda p: p.models(vae="../diffusion_models/x"), "no file"),
    "8 truncated model": (model_file("dit", (10**6).to_bytes(8, "little") + b'{"a"'), "cut off|damaged|no safetensors"),
    "8 HTML file as model": (model_file("dit", b"<!DOCTYPE html><html>" + b" " * 200), "web page|no safetensors"),
    "8 no caches": (caches_gone, "no latent cache"),
    "8 cut off latent cache hangs": (cache_cut_off("latent"), "damaged"),
    "8 cut off text cache hangs": (cache_cut_off("text"), "damaged"),
    "8 DiT not given": (lambda p: p.models(dit="none"), "needs dit"),
    "8 DiT missing": (lambda p: p.models(dit="gone.safetensors"), "no file"),
    "8 other model as DiT": (other_model("dit", "double_blocks.0.img_attn.qkv.weight"), "no Wan DiT"),
    "8 fp8_scaled file as DiT": (other_model("dit", "patch_embedding.weight", "blocks.0.scale_weight"), "fp8_scaled"),
    "8 Wan 2.2 task without second DiT": (lambda p: p.models(task="t2v-A14B"), "needs dit_high_noise"),
    "8 absent install": (lambda p: p.models(install="nowhere"), "no install 'nowhere'"),
    "8 i2v DiT with t2v task": (lambda p: p.models(dit="miniature/wan_i2v_14b.safetensors"), "does not fit task"),
    "8 i2v training on t2v caches": (i2v_training_on_t2v_caches, "made"),
    "8 network_dim 0": (train_with("TrainingConfig", network_dim=0), "network_dim"),
    "8 adamw8bit without bitsandbytes": (train_with("OptimizerConfig", optimizer_type="AdamW8bit"), "bitsandbytes"),
    "8 flash_attn without library": (train_with("MemoryOptimizer", attention="flash"), "flash_attn"),
    "8 output_name with a folder": (train_with(output_name="a/b"), "plain file name"),
    "7 lora converted to other": (lora_in_other_format, "format of ComfyUI"),
    "10 dataset changed after caching": (dataset_changed, "has changed since"),
    "8 output_name empty": (train_with(output_name=""), "plain file name"),
    "8 resume missing": (train_with("TrainingConfig", resume="musubi/gone-state"), "no saved state"),
    "8 size not divisible": (lambda p: p.generate(width=100), "divisible by 16"),
    "8 sample size not divisible": (
        train_with("SamplingConfig", sample_every_n_epochs=1, sample_prompts="x", sample_width=104),
        "divisible by 16",
    ),
    "8 no bucket and not /16": (toml(NO_BUCKET), "16"),
    # section 10 to 13
    "10 caches of two datasets": (caption_changed_between, "two datasets"),
    "12 sage in training": (train_with("MemoryOptimizer", attention="sage"), "sage"),
    "12 xformers without split_attn": (memory(attention="xformers"), "split_attn"),
    "12 swap and offload": (
        lambda p: train_models(BOTH, memory=p.settings("MemoryOptimizer", blocks_to_swap=4), offload_inactive_dit=True)(
            p
        ),
        "exclude each other",
    ),
    "12 too many blocks": (memory(blocks_to_swap=40), "more than this model"),
    "12 high noise model without boundary": (lambda p: p.models(noise="high"), "Wan 2.2"),
    "12 mixed_precision against the file": (train_with("TrainingConfig", mixed_precision="fp16"), "mixed_precision"),
    "12 constant scheduler with warm-up": (train_with("OptimizerConfig", lr_warmup_steps=10.0), "lr_warmup_steps"),
    "12 epochs override steps": (train_with("TrainingConfig", max_train_steps=5), "overrides"),
    "12 from_file and interactive": (lambda p: p.generate(extra_options="interactive = true"), "is refused"),
    "12 checkpoint offload alone": (
        memory(gradient_checkpointing=False, gradient_checkpointing_cpu_offload=True),
        "needs gradient_checkpointing",
    ),
    "13 fp8_fast with fp8_scaled": (
        lambda p: p.generate(fp8_fast=True, memory=p.settings("MemoryOptimizer", fp8="fp8_scaled")),
        "fp8_fast",
    ),
    "4 video_length is rounded silently": (lambda p: p.generate(video_length=6), r"N\*4\+1"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_trap_is_refused_before_anything_starts(place: Any, row: str) -> None:
    provoke, message = REFUSED[row]
    with pytest.raises(MusubiError, match=message) as caught:
        provoke(place)
    assert caught.value.fix or "problems" in caught.value.what or ":" in caught.value.what
    assert not place.started_since()
    assert not list(place.folder.glob("output/models/loras/musubi/*"))


def nan(p: Any) -> Any:
    """A weight decay that makes the weights grow a hundred thousand times in each step."""
    optimizer = p.settings("OptimizerConfig", optimizer_args="weight_decay=1000.0")
    return p.train(optimizer=optimizer, training=p.training(learning_rate=100.0, max_train_epochs=10))


EXPLAINED: dict[str, tuple[Provoke, str]] = {
    "7 NaN loss ends with exit 0": (nan, "NaN or infinite"),
}


@pytest.mark.parametrize("row", EXPLAINED)
def test_a_trap_that_shows_only_afterwards_is_an_explained_error(place: Any, row: str) -> None:
    provoke, message = EXPLAINED[row]
    with pytest.raises(MusubiError, match=message) as caught:
        provoke(place)
    assert caught.value.why and caught.value.fix and caught.value.log and caught.value.log.is_file()
    assert not list(place.folder.glob("output/models/loras/musubi/*"))


def test_defaults_that_fail_upstream_are_always_overridden(place: Any) -> None:
    """Section 11, and of section 8: no attention flag, no network module, no optimizer, no output folder or name."""
    place.train(training=None)
    words = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    sent = dict(word.lstrip("-").partition("=")[::2] for word in words if word.startswith("--"))
    assert {"sdpa", "network_module", "network_dim", "network_alpha", "optimizer_type", "learning_rate", "output_dir",
            "output_name", "mixed_precision", "seed", "task", "timestep_sampling", "discrete_flow_shift",
            "max_train_epochs", "save_every_n_epochs", "max_data_loader_n_workers"} <= sent.keys()  # fmt: skip
    assert sent["timestep_sampling"] == "shift" and sent["optimizer_type"] == "AdamW"


def test_fp8_scaled_brings_fp8_base_along(place: Any) -> None:
    """Section 12."""
    place.train(memory=place.settings("MemoryOptimizer", fp8="fp8_scaled"))
    words = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    assert {"--fp8_base", "--fp8_scaled"} <= set(words)


def test_tensorboard_always_gets_a_folder(place: Any) -> None:
    """Section 12."""
    place.train(training=place.training(log_with="tensorboard"))
    words = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    assert any(word.startswith("--logging_dir=") for word in words)


def test_a_lora_never_goes_without_its_multiplier(place: Any) -> None:
    """Section 11."""
    place.generate(lora=place.train().lora)
    words = json.loads((place.started()[-1] / "command.json").read_text("utf-8"))["command"]
    assert words[words.index("--lora_multiplier") + 1] == "1.0"


def test_what_people_write_and_upstream_refuses_is_mended(place: Any) -> None:
    """Section 8: a byte order mark, and source_fps = 30 where 30.0 is needed."""
    path = place.dataset()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert place.caches(path)
