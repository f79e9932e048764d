"""Traps of the real program (tests/facts/traps.toml) that concern Wan or all scripts, row by row."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families import Latent
from musubi_nodes.media.frames import ImageFiles, save_video
from musubi_nodes.testing.errors import fails
from musubi_nodes.testing.traps import Explained, Overridden, Provoke, Refused, Said, Trap

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

WAN_DIT = ("patch_embedding.weight", "head.modulation", "blocks.0.self_attn.q.weight", "blocks.0.cross_attn.k.weight")
KINDS = {"dit": "diffusion_models", "vae": "vae", "t5": "text_encoders"}


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
    with fails("video-too-short", "v.mp4"):
        video_dataset("target_frames = [9]")(p)
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


def model_file(field: str, data: bytes, name: str = "bad.safetensors") -> Provoke:
    """A file of these bytes as a model."""

    def provoke(p: Any) -> Any:
        folder = p.host.output_folder / "models" / KINDS[field]
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)
        return p.models(**{field: name})

    return provoke


def other_model(field: str, *names: str) -> Provoke:
    """A safetensors file of another model, by the names in it."""

    def provoke(p: Any) -> Any:
        p.weights(KINDS[field], "other.safetensors", **dict.fromkeys(names, (4, 16)))
        return p.models(**{field: "other.safetensors"})

    return provoke


def train_with(node: str = "", **values: Any) -> Provoke:
    """Train with one settings node's values, or with the trainer's own."""

    def provoke(p: Any) -> Any:
        caches = p.prepared()
        p.forget()
        if not node:
            return p.train(caches, **values)
        name = {"MemoryOptimizer": "memory"}.get(node, node.removesuffix("Config").lower())
        return p.train(caches, **{name: p.settings(node, **values)})

    return provoke


def train_models(models: dict[str, Any], **values: Any) -> Provoke:
    def provoke(p: Any) -> Any:
        caches = p.caches(models=p.models(**models))
        p.forget()
        return p.train(caches, **values)

    return provoke


def i2v_training_on_t2v_caches(p: Any) -> Any:
    caches = p.prepared()
    p.forget()
    return p.train({**caches, "models": p.models(**I2V)})


def samples_of_i2v_without_picture(p: Any) -> Any:
    caches = p.caches(models=p.models(**I2V))
    p.forget()
    sampling = p.settings("SamplingConfig", sample_every_n_epochs=1, sample_prompts="a cat", sample_width=96,
                          sample_height=64)  # fmt: skip
    return p.train(caches, sampling=sampling)


def cut_off(p: Any, field: str) -> Any:
    """A model of which only the beginning is there."""
    source = Path(getattr(p.models(), field)).read_bytes()
    return model_file(field, source[:-1000])(p)


def folder_as_dit(p: Any) -> Any:
    (p.host.output_folder / "models" / "diffusion_models" / "wan").mkdir(parents=True)
    return p.models(dit="wan")


def no_picture(p: Any) -> ImageFiles:
    path = p.folder / "broken.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return ImageFiles((path,))


def half_a_latent(p: Any) -> Any:
    path = p.weights("loras", "video_latent.safetensors", latent=(4, 4))
    path.write_bytes(path.read_bytes()[:-8])
    return p.generate(latent=Latent(path=path))


def missing_in_a_chain(p: Any) -> Any:
    first = p.lora("blocks_0_self_attn_q", name="first.safetensors")
    second = p.run("LoRASelect", lora="first.safetensors", previous=first).lora
    first.path.unlink()
    return p.generate(lora=second)


def half_a_lora(p: Any) -> Any:
    lora = p.lora("blocks_0_self_attn_q")
    lora.path.write_bytes(lora.path.read_bytes()[:-8])
    return p.generate(lora=lora)


def samples_of_fun_control(p: Any) -> Any:
    caches = p.prepared()
    p.forget()
    models = caches["models"].model_copy(update={"task": "t2v-14B-FC"})
    return p.train(
        {**caches, "models": models},
        sampling=p.settings(
            "SamplingConfig", sample_every_n_epochs=1, sample_prompts="a cat", sample_width=96, sample_height=64
        ),
    )


def memory(**values: Any) -> Provoke:
    return lambda p: p.generate(memory=p.settings("MemoryOptimizer", **values))


def nan(p: Any) -> Any:
    """A weight decay that makes the weights grow a hundred thousand times in each step."""
    optimizer = p.settings("OptimizerConfig", optimizer_args="weight_decay=1000.0")
    return p.train(optimizer=optimizer, training=p.training(learning_rate=100.0, max_train_epochs=10))


def other_weights_after_the_check(p: Any) -> Any:
    """The trainer gets a DiT that is none: its own reason must stand above accelerate's."""
    caches = p.prepared()
    p.forget()
    return p.train({**caches, "models": caches["models"].model_copy(update={"dit": caches["models"].vae})})


def missing_folder_after_caching(p: Any) -> Any:
    """The caches stay where they are, although the folder's name is wrong now."""
    p.caches()
    files = sorted(p.folder.glob("output/musubi/cache/**/*.safetensors"))
    with fails("folder-missing", "pictures_typo"):
        p.caches(p.dataset(toml=MISSING_FOLDER))
    assert files and all(file.is_file() for file in files)


def two_of_one_stem(folder: Path) -> None:
    (folder / "p1.jpg").write_bytes((folder / "p1.png").read_bytes())


def latents_somewhere_else(p: Any) -> Any:
    """The caches that the trainer gets are in another folder than those that were made."""
    caches = p.caches()
    for file in p.folder.glob("output/musubi/cache/**/*.safetensors"):
        file.rename(p.folder / file.name)
    p.forget()
    return p.train(caches)


def byte_order_mark(p: Any) -> Any:
    path = p.dataset()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return p.caches(path)


def has_point(folder: Path) -> bool:
    return "source_fps = 16.0" in (folder / "dataset.toml").read_text("utf-8")


def samples(**values: Any) -> Provoke:
    """Train with samples on the way."""
    small = {"sample_every_n_epochs": 2, "sample_prompts": "a cat", "sample_width": 96, "sample_height": 64}
    return train_with("SamplingConfig", **{**small, "sample_frames": 5, "sample_steps": 2, **values})


def sample_is_whole(folder: Path) -> bool:
    (prompt,) = json.loads((folder / "prompts.json").read_text("utf-8"))
    wanted = {"width": 96, "height": 64, "frame_count": 5, "sample_steps": 2, "discrete_flow_shift": 5.0}
    return wanted.items() <= prompt.items()


def resumed(p: Any) -> Any:
    caches = p.prepared()
    first = p.train(caches, training=p.training(save_state_on_train_end=True))
    state = (first.run.folder / "out" / "my_lora-state").relative_to(p.host.output_folder)
    second = p.train(caches, training=p.training(resume=state.as_posix(), max_train_epochs=4))
    assert (first.run.folder / "out" / "my_lora.safetensors").is_file() and second.run.folder != first.run.folder
    assert second.lora.path != first.lora.path


def share(p: Any) -> Any:
    """Per mille for training, a share for generating."""
    models = p.models(**BOTH, timestep_boundary=800)
    p.train(p.caches(models=models), training=p.training(max_train_epochs=1))
    assert "--timestep_boundary=800" in p.command()
    p.generate(models=models)


def environment(folder: Path) -> bool:
    shown = json.loads((folder / "command.json").read_text("utf-8"))["environment"]
    return any((Path(entry) / "musubi_tuner").is_dir() for entry in shown["PYTHONPATH"].split(os.pathsep))


def extra(text: str, **values: Any) -> Provoke:
    """An extra option of the generator."""
    return lambda p: p.generate(extra_options=text, **values)


def scaled(p: Any) -> Any:
    return p.train(memory=p.settings("MemoryOptimizer", fp8="fp8_scaled"))


def foreign(p: Any) -> Any:
    return p.lora("double_blocks_0_img_attn_qkv")


def other_format(p: Any) -> Any:
    return p.lora("blocks.0.self_attn.q", other=True)


BARE = {
    "8 no attention flag; 11 attention": "--sdpa",
    "8 no network_module; 11 network_module": "--network_module=networks.lora_wan",
    "8 no optimizer_type; 11 optimizer_type; 13 every example uses adamw8bit": "--optimizer_type=AdamW",
    "8 no output_dir; 11 output_dir": "--output_dir=.+",
    "8 no output_name; 11 output_name": "--output_name=my_lora",
    "11 learning_rate": "--learning_rate=0.0001",
    "11 mixed_precision": "--mixed_precision=bf16",
    "11 network_dim": "--network_dim=32",
    "11 network_alpha": "--network_alpha=16.0",
    "11 length": "--max_train_epochs=16",
    "11 save_every": "--save_every_n_epochs=1",
    "11 timestep_sampling": "--timestep_sampling=shift",
    "11 discrete_flow_shift": "--discrete_flow_shift=3.0",
    "11 max_data_loader_n_workers": "--max_data_loader_n_workers=2",
    "11 seed": "--seed=42",
    "11 task": "--task=t2v-14B",
}
"""What a trainer is sent that has no settings connected."""

TRAPS: dict[str, Trap] = {
    "4 two files with one stem": Refused(files(two_of_one_stem), "cache-file-shared", "p1.jpg", "p1.png"),
    "4 video_length is rounded down": Refused(lambda p: p.generate(video_length=6), "frames-not-allowed", 6, "N*4+1"),
    "7 empty folder": Refused(files(empty), "dataset-empty"),
    "7 missing folder": Refused(toml(MISSING_FOLDER), "folder-missing", "pictures_typo"),
    "7 images without caption / one": Refused(files(lambda f: (f / "p1.txt").unlink()), "caption-missing", "p1.png"),
    "7 images without caption / all": Refused(
        files(lambda f: [t.unlink() for t in f.glob("*.txt")]), "caption-missing", "p0.png"
    ),
    "7 videos shorter than every target": Refused(video_dataset("target_frames = [9, 17]"), "video-too-short", "v.mp4"),
    "7 caches are deleted": Overridden(missing_folder_after_caching, sent=("--keep_cache",)),
    "7 items without text cache": Refused(text_cache_gone, "cache-missing", "text"),
    "7 LoRA of another model": Refused(lambda p: p.generate(lora=foreign(p)), "lora-other-model", "HunyuanVideo"),
    "7 LoRA of another model / network_weights": Refused(
        lambda p: train_with(network_weights=foreign(p))(p), "lora-other-model", "HunyuanVideo"
    ),
    "7 LoRA of another model / base_weights": Refused(
        lambda p: train_with(base_weights=foreign(p))(p), "lora-other-model", "HunyuanVideo"
    ),
    "7 LoRA converted to other": Refused(lambda p: p.generate(lora=other_format(p)), "lora-not-converted", "ComfyUI"),
    "7 save_merged_model writes nothing": Refused(
        extra("save_merged_model = 'x.safetensors'"), "option-refused", "--save_merged_model"
    ),
    "7 samples without prompts": Refused(
        train_with("SamplingConfig", sample_every_n_epochs=1), "prompt-empty", "sample_prompts"
    ),
    "7 samples of i2v without a picture": Refused(samples_of_i2v_without_picture, "start-image-missing", "'a cat'"),
    "7 no training steps": Refused(
        train_with("TrainingConfig", max_train_epochs=0, max_train_steps=0), "training-length-missing"
    ),
    "7 NaN loss; 6 NaN weights": Explained(nan, "lora-not-finite"),
    "7 unknown keys of a config file": Refused(
        train_with(extra_options="lerning_rate = 1.0"), "option-unknown", "--lerning_rate", "'learning_rate'"
    ),
    "8 accelerate hides the reason": Explained(
        other_weights_after_the_check,
        "model-other-kind",
        "wan_train_network.py",
        "ValueError: Could not find the dtype",
    ),
    "8 a killed trainer": Said(
        "wan_train_network.py",
        "wan",
        ("subprocess.CalledProcessError: Command '['python']' died with <Signals.SIGKILL: 9>.",),
        "script-killed",
    ),
    "8 unknown flag": Refused(train_with(extra_options="input_lora = 'x'"), "option-unknown", "--input_lora"),
    "8 bad choice": Refused(
        train_with(extra_options="save_precision = 'bf15'"), "option-choice-unknown", "--save_precision", "bf15"
    ),
    "8 bad number": Refused(train_with(extra_options="ddp_timeout = 'x'"), "option-value-other-kind", "--ddp_timeout"),
    "8 TOML missing": Refused(lambda p: p.load(p.folder / "gone.toml"), "file-missing", "gone.toml"),
    "8 TOML syntax": Refused(bytes_of_toml(b"[general]\nx 1"), "toml-invalid", "line 2"),
    "8 TOML unclosed bracket": Refused(bytes_of_toml(b"[general\nx = 1"), "toml-invalid", "line 1"),
    "8 TOML backslash": Refused(
        bytes_of_toml(b'[[datasets]]\nimage_directory = "C:\\images\\x"'), "backslash-not-escaped", "line 2"
    ),
    "8 TOML byte order mark": Overridden(byte_order_mark, sent=("--dataset_config=.+",)),
    "8 TOML unknown key": Refused(lines("cache_dir = 'x'"), "key-unknown", "cache_dir", "cache_directory"),
    "8 TOML wrong type": Refused(lines("num_repeats = 'two'"), "int-type", "num_repeats", "two"),
    "8 source_fps without a point": Overridden(video_dataset("target_frames = [5]\nsource_fps = 16"), look=has_point),
    "8 no datasets": Refused(toml("[general]\nbatch_size = 1\n"), "datasets-missing"),
    "8 neither image nor video": Refused(lines(drop="image_directory"), "dataset-source-missing", "image_directory"),
    "8 shared cache folder": Refused(shared_cache, "cache-folder-shared", "datasets[0]", "datasets[1]"),
    "8 no caption_extension": Refused(
        lines(drop="caption_extension"), "caption-extension-missing", "caption_extension"
    ),
    "8 video without caption": Refused(video_dataset("target_frames = [5]\nno-caption"), "caption-missing", "v.mp4"),
    "8 broken image": Refused(files(lambda f: (f / "p1.png").write_bytes(b"no picture")), "image-unreadable", "p1.png"),
    "8 broken video": Refused(broken_video, "video-unreadable", "v.mp4"),
    "8 VAE of another model": Refused(
        lambda p: p.models(vae="miniature/hunyuan_video_vae.safetensors"),
        "model-other-kind",
        "HunyuanVideo's VAE",
        "Wan 2.1's VAE",
    ),
    "8 truncated model / header": Refused(
        model_file("dit", (10**6).to_bytes(8, "little") + b'{"a"'), "file-truncated", "bad.safetensors"
    ),
    "8 truncated model / tensors": Refused(lambda p: cut_off(p, "dit"), "file-truncated", ".safetensors"),
    "8 truncated model / VAE": Refused(lambda p: cut_off(p, "vae"), "file-truncated", ".safetensors"),
    "8 HTML file as model": Refused(model_file("dit", b"<!DOCTYPE html><html>" + b" " * 200), "file-web-page"),
    "8 no caches": Refused(caches_gone, "cache-missing", "latent"),
    "8 wrong cache folder": Refused(latents_somewhere_else, "cache-missing", "latent"),
    "8 truncated latent cache": Refused(cache_cut_off("latent"), "cache-damaged", "latent"),
    "8 truncated text cache": Refused(cache_cut_off("text"), "cache-damaged", "text"),
    "8 DiT missing": Refused(lambda p: p.models(dit="gone.safetensors"), "model-missing", "gone.safetensors"),
    "8 DiT not given": Refused(lambda p: p.models(dit="none"), "wan-dit-missing", "t2v-14B"),
    "8 other model as DiT": Refused(
        lambda p: p.models(dit="miniature/framepack_i2v.safetensors"),
        "model-other-kind",
        "a FramePack DiT",
        "a Wan DiT",
    ),
    "8 i2v DiT with t2v task": Refused(
        lambda p: p.models(dit="miniature/wan_i2v_14b.safetensors"), "model-other-task", "t2v-14B"
    ),
    "8 i2v training on t2v caches": Refused(i2v_training_on_t2v_caches, "cache-other-options", "i2v"),
    "8 other network module; 8 network_module is imported": Refused(
        train_with(extra_options="network_module = 'os'"), "option-refused", "--network_module"
    ),
    "8 network_dim 0": Refused(train_with("NetworkConfig", network_dim=0), "greater-than-equal", "network_dim"),
    "8 wandb without wandb / wandb": Refused(
        train_with("TrainingConfig", log_with="wandb"), "wandb-key-missing", "wandb"
    ),
    "8 wandb without wandb / all": Refused(train_with("TrainingConfig", log_with="all"), "wandb-key-missing", "all"),
    "8 adamw8bit without bitsandbytes": Refused(
        train_with("OptimizerConfig", optimizer_type="AdamW8bit"), "package-missing", "bitsandbytes"
    ),
    "8 flash_attn without library": Refused(
        train_with("MemoryOptimizer", attention="flash"), "package-missing", "flash_attn"
    ),
    "8 output_name with a slash": Refused(train_with(output_name="a/b"), "file-name-invalid", "output_name"),
    "8 output_name with a slash / empty": Refused(train_with(output_name=""), "file-name-invalid", "output_name"),
    "8 resume missing": Refused(
        train_with("TrainingConfig", resume="musubi/gone-state"), "state-missing", "musubi/gone-state"
    ),
    "8 config_file missing": Refused(
        train_with(extra_options="config_file = 'x.toml'"), "option-refused", "--config_file"
    ),
    "8 size not divisible by 8": Refused(lambda p: p.generate(width=100), "size-not-divisible", 96, 112),
    "8 sample of such a size": Refused(samples(sample_width=104), "size-not-divisible", 96, 112),
    "8 prompt file of another kind; 11 frames and size of samples; 11 shift of samples": Overridden(
        samples(), sent=(r"--sample_prompts=.*prompts\.json",), look=sample_is_whole
    ),
    "8 no bucket and not divisible by 16": Refused(toml(NO_BUCKET), "resolution-not-a-multiple", "100x64", 16),
    "8 out of main memory": Said(
        "wan_train_network.py",
        "wan",
        (
            "RuntimeError: [enforce fail at alloc_cpu.cpp:127] data. DefaultCPUAllocator: can't allocate memory: "
            "you tried to allocate 123 bytes. Error code 12 (Cannot allocate memory)",
            "subprocess.CalledProcessError: Command '['python']' returned non-zero exit status 1.",
        ),
        "ram-out-of-memory",
    ),
    "8 optimizer_type is imported": Refused(
        train_with(extra_options="optimizer_type = 'os.system'"), "option-refused", "--optimizer_type"
    ),
    "8 lr_scheduler_type is imported": Refused(
        train_with(extra_options="lr_scheduler_type = 'os.system'"), "option-refused", "--lr_scheduler_type"
    ),
    "10 skip_existing looks at names only": Refused(
        lambda p: p.caches(extra_options="skip_existing = true"), "option-refused", "--skip_existing"
    ),
    "10 training on old caches": Refused(dataset_changed, "dataset-changed", "pictures"),
    "10 training on old caches / of another dataset": Refused(caption_changed_between, "cache-other-dataset"),
    "10 resume counts anew": Overridden(resumed, sent=("--resume=.*my_lora-state", "--max_train_steps=8")),
    "10 dim_from_weights": Refused(
        train_with(extra_options="dim_from_weights = true"), "option-refused", "--dim_from_weights", "network_weights"
    ),
    "; ".join(BARE): Overridden(lambda p: p.train(training=None, network=None), sent=tuple(BARE.values())),
    "11 lora_multiplier": Overridden(
        lambda p: p.generate(lora=p.lora("blocks_0_self_attn_q")), sent=("--lora_multiplier\n1.0",)
    ),
    "12 fp8_scaled without fp8_base": Overridden(scaled, sent=("--fp8_base", "--fp8_scaled")),
    "12 sage in training": Refused(train_with("MemoryOptimizer", attention="sage"), "setting-not-possible", "sage"),
    "12 swap and offload": Refused(
        lambda p: train_models(BOTH, memory=p.settings("MemoryOptimizer", blocks_to_swap=4), offload_inactive_dit=True)(
            p
        ),
        "settings-conflict",
        "blocks_to_swap",
        "offload_inactive_dit",
    ),
    "12 high noise model without its task": Overridden(
        lambda p: p.generate(models=p.models(dit_high_noise=BOTH["dit_high_noise"])), never=("--dit_high_noise",)
    ),
    "12 mixed_precision against the file": Refused(
        train_with("TrainingConfig", mixed_precision="fp16"), "precision-other-than-model", "bf16", "fp16"
    ),
    "12 tensorboard without a folder": Overridden(
        lambda p: p.train(training=p.training(log_with="tensorboard")), sent=("--logging_dir=.+",)
    ),
    "12 constant scheduler with warm-up": Refused(
        train_with("OptimizerConfig", lr_warmup_steps=10.0), "setting-ignored", "lr_warmup_steps"
    ),
    "12 persistent workers without workers": Overridden(
        train_with("TrainingConfig", max_data_loader_n_workers=0, max_train_epochs=1),
        sent=("--max_data_loader_n_workers=0",),
        never=("--persistent_data_loader_workers",),
    ),
    "12 epochs override steps": Refused(
        train_with("TrainingConfig", max_train_steps=5), "settings-conflict", "max_train_epochs", "max_train_steps"
    ),
    "12 from_file with interactive": Refused(extra("interactive = true"), "option-refused", "--interactive"),
    "12 from_file with interactive / from_file": Refused(extra("from_file = 'x.txt'"), "option-refused", "--from_file"),
    "12 too many blocks to swap": Refused(memory(blocks_to_swap=40), "blocks-to-swap-too-large", 40, 39),
    "12 batch_size only lowers": Refused(lambda p: p.caches(batch_size=2), "batch-size-too-large", 2, 1),
    "13 a folder as DiT": Refused(folder_as_dit, "model-missing", "'wan'"),
    "13 timestep_boundary as a share": Overridden(share, sent=(r"--timestep_boundary=0\.8",)),
    "13 save_path is a folder": Overridden(lambda p: p.generate(filename_prefix="save"), sent=("--save_path=.*/out",)),
    "13 fp8_fast with fp8_scaled": Refused(
        lambda p: p.generate(fp8_fast=True, memory=p.settings("MemoryOptimizer", fp8="fp8_scaled")),
        "fp8-fast-not-allowed",
    ),
    "13 src on PYTHONPATH": Overridden(lambda p: p.caches(), look=environment),
    "13 tokenizers come from the Hub": Said(
        "wan_cache_text_encoder_outputs.py",
        "wan",
        ("OSError: We couldn't connect to 'https://huggingface.co' to load the files",),
        "tokenizer-missing",
    ),
    "13 PyTorch files": Refused(model_file("dit", b"PK\x03\x04" + b" " * 100, "dit.pth"), "file-pytorch", "dit.pth"),
}


@pytest.mark.parametrize("key", TRAPS)
def test_every_trap_has_its_answer(place: Any, key: str) -> None:
    TRAPS[key].check(place)


BAD_INPUT: dict[str, Refused] = {
    "TOML not UTF-8": Refused(
        bytes_of_toml("[[datasets]]\n# \u00e4".encode("latin-1")), "file-not-utf8", "pictures.toml"
    ),
    "caption not UTF-8": Refused(
        files(lambda f: (f / "p1.txt").write_bytes(b"\xff\xfe\xe4")), "file-not-utf8", "p1.txt"
    ),
    "a web page as LoRA": Refused(no_lora, "file-web-page", "web.safetensors"),
    "T5 with other names inside": Refused(
        other_model("t5", "encoder.block.0.layer.0.weight"), "model-other-kind", "Wan's own T5"
    ),
    "a path as model name": Refused(
        lambda p: p.models(vae="../diffusion_models/x"), "model-missing", "../diffusion_models/x"
    ),
    "an fp8_scaled file as DiT": Refused(
        other_model("dit", *WAN_DIT, "blocks.0.scale_weight"), "model-quantisation-unsupported", "T2V DiT", "scaled fp8"
    ),
    "Wan 2.2 without its second DiT": Refused(lambda p: p.models(task="t2v-A14B"), "wan-dit-missing", "dit_high_noise"),
    "noise for Wan 2.1": Refused(lambda p: p.models(noise="high"), "wan-noise-not-allowed", "high", "Wan 2.2"),
    "an absent install": Refused(lambda p: p.models(install="nowhere"), "install-unknown", "nowhere"),
    "xformers without split_attn": Refused(memory(attention="xformers"), "setting-missing", "split_attn"),
    "checkpoint offload alone": Refused(
        memory(gradient_checkpointing=False, gradient_checkpointing_cpu_offload=True),
        "setting-missing",
        "gradient_checkpointing",
    ),
    "options in a prompt line": Refused(
        samples(sample_prompts="a cat --w 512 --ci x.png"), "prompt-option-unknown", "line 1", "--ci"
    ),
    "samples of Fun-Control": Refused(samples_of_fun_control, "samples-not-possible", "t2v-14B-FC"),
    "a picture that is none": Refused(
        lambda p: p.generate(models=p.models(**I2V), image=no_picture(p)), "image-unreadable", "broken.png"
    ),
    "half a latent file": Refused(half_a_latent, "file-truncated", ".safetensors"),
    "a chain with a missing LoRA": Refused(missing_in_a_chain, "file-missing", "first.safetensors"),
    "a LoRA of another size": Refused(
        lambda p: p.generate(lora=p.lora("blocks_0_self_attn_q", width=32)), "lora-other-size", 32, 64
    ),
    "half a LoRA": Refused(half_a_lora, "file-truncated", ".safetensors"),
}


@pytest.mark.parametrize("key", BAD_INPUT)
def test_bad_input_is_refused_before_anything_starts(place: Any, key: str) -> None:
    BAD_INPUT[key].check(place)


def test_an_attention_that_cannot_do_what_is_asked_is_explained(place: Any) -> None:
    line = "AssertionError: k_lens is not supported except for flash attention 3 or sage attention. k_lens=x, lk=24."
    Said("wan_generate_video.py", "wan", (line,), "attention-unsuited").check(place)
