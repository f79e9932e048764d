"""Traps of the real program (tests/facts/traps.toml) that concern FramePack, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.testing.traps import Overridden, Provoke, Refused, Said, Trap

MODULE = "transformer_blocks_0_attn_to_q"


def train_with(**values: Any) -> Provoke:
    """Train on finished caches; a callable value is asked for its own value first."""

    def provoke(p: Any) -> Any:
        caches = p.prepared()
        p.forget()
        return p.train(caches, **{name: value(p) for name, value in values.items()})

    return provoke


def memory(**values: Any) -> Provoke:
    return lambda p: p.run("MemoryOptimizer", **values).memory


def samples(**values: Any) -> Provoke:
    """Samples on the way, as they should be: one section of two latent frames."""
    small = {"sample_every_n_epochs": 2, "sample_prompts": "a cat", "sample_width": 96, "sample_height": 64}
    short = {"sample_frames": 9, "sample_steps": 2}
    return lambda p: p.run("SamplingConfig", **{**small, **short, **values}).sampling


def generate(**values: Any) -> Provoke:
    """Generate from a picture."""
    return lambda p: p.generate(image=p.picture(), **values)


def with_batches(p: Any) -> Any:
    caches = p.caches(p.videos(extra="batch_size = 2"))
    p.forget()
    return p.train(caches)


def wan_lora(p: Any) -> Any:
    return p.lora("blocks_0_self_attn_q")


def controlled(p: Any) -> Any:
    """Pictures with control pictures and one_frame."""
    path = p.dataset()
    control = p.dataset("control").with_suffix("")
    path.write_text(path.read_text("utf-8") + f"control_directory = '{control.as_posix()}'\n", "utf-8")
    return p.caches(path, one_frame=True)


def one_frame_without_samples(p: Any) -> Any:
    caches = controlled(p)
    p.forget()
    picture = ImageFiles((p.folder / "pictures" / "p0.png",))
    return p.train(caches, one_frame=True, sampling=samples()(p), sample_image=picture)


def pickled(p: Any) -> Any:
    path = p.host.output_folder / "models" / "diffusion_models" / "dit.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PK\x03\x04" + b" " * 100)
    return p.models(dit="dit.pt")


TRAPS: dict[str, Trap] = {
    "4 video_length is rounded down": Refused(generate(video_frames=20), "frames-not-allowed", 20, 17, 25),
    "7 LoRA of another model": Refused(lambda p: generate(lora=wan_lora(p))(p), "lora-other-model", "Wan"),
    "7 LoRA of another model / network_weights": Refused(
        train_with(network_weights=wan_lora), "lora-other-model", "Wan"
    ),
    "7 LoRA of another model / base_weights": Refused(train_with(base_weights=wan_lora), "lora-other-model", "Wan"),
    "7 LoRA converted to other": Refused(
        lambda p: generate(lora=p.lora("transformer_blocks.0.attn.to_q", other=True))(p),
        "lora-not-converted",
        "ComfyUI",
    ),
    "7 save_merged_model writes nothing; 13 save_merged_model of FramePack": Refused(
        generate(extra_options="save_merged_model = 'x.safetensors'"), "option-refused", "--save_merged_model"
    ),
    "7 samples of FramePack without a picture": Refused(
        train_with(sampling=samples(), latent_window_size=lambda p: 2), "start-image-missing", "'a cat'"
    ),
    "7 a failing prompt of from_file": Refused(
        generate(extra_options="from_file = 'x.txt'"), "option-refused", "--from_file"
    ),
    "8 VAE of another model": Refused(
        lambda p: p.models(vae="miniature/wan_vae.safetensors"), "model-other-kind", "HunyuanVideo's VAE"
    ),
    "8 other model as DiT": Refused(
        lambda p: p.models(dit="miniature/wan_t2v_14b.safetensors"),
        "model-other-kind",
        "a Wan T2V DiT",
        "a FramePack DiT",
    ),
    "8 pictures without one_frame": Refused(lambda p: p.caches(p.dataset()), "framepack-one-frame-missing"),
    "8 one_frame without control pictures": Refused(
        lambda p: p.caches(p.dataset(), one_frame=True), "framepack-control-directory-missing"
    ),
    "8 video too short": Refused(lambda p: p.caches(p.videos(5)), "frames-not-allowed", "target_frames", 5),
    "8 size not divisible by 8": Refused(generate(width=100), "size-not-divisible", 96, 112),
    "8 size divisible by 8 only": Refused(generate(width=104), "size-not-divisible", 96, 112),
    "11 length, steps and size of a video": Overridden(
        generate(video_frames=None, video_seconds=0.5),
        sent=("--video_seconds=0.5", "--infer_steps=2", "--latent_window_size=2", "--video_size\n64\n96", "--fps=30"),
    ),
    "11 lora_multiplier": Overridden(lambda p: generate(lora=p.lora(MODULE))(p), sent=("--lora_multiplier\n1.0",)),
    "12 fp8_scaled without fp8_base; 13 fp8 in training is ambiguous": Overridden(
        lambda p: p.train(memory=memory(fp8="fp8_scaled")(p)), sent=("--fp8_base", "--fp8_scaled")
    ),
    "12 sage in training": Refused(train_with(memory=memory(attention="sage")), "setting-not-possible", "sage"),
    "12 batch_size without split_attn": Refused(with_batches, "framepack-split-attn-missing", 2),
    "12 vae_dtype of the cache": Refused(
        lambda p: p.caches(extra_options="vae_dtype = 'float32'"), "option-refused", "--vae_dtype"
    ),
    "12 from_file with interactive": Refused(
        generate(extra_options="interactive = true"), "option-refused", "--interactive"
    ),
    "12 too many blocks to swap": Refused(
        train_with(memory=memory(blocks_to_swap=37)), "blocks-to-swap-too-large", 37, 36
    ),
    "12 too many blocks to swap / generating": Refused(
        lambda p: generate(memory=memory(blocks_to_swap=39)(p))(p), "blocks-to-swap-too-large", 39, 38
    ),
    "13 fp8 alone": Refused(lambda p: generate(memory=memory(fp8="fp8")(p))(p), "setting-not-possible", "'fp8'"),
    "13 models for samples only": Overridden(
        lambda p: p.train(), sent=("--dit=.+",), never=("--vae=", "--text_encoder", "--image_encoder")
    ),
    "13 a black picture": Refused(lambda p: p.generate(), "start-image-missing"),
    "13 options in prompt lines": Refused(
        train_with(sampling=samples(sample_prompts="a cat --im x.png"), latent_window_size=lambda p: 2),
        "prompt-option-unknown",
        "--im",
    ),
    "13 other solvers": Refused(generate(extra_options="sample_solver = 'dpm++'"), "option-refused", "--sample_solver"),
    "13 pictures are supported": Overridden(controlled, sent=("--dataset_config=.+",)),
    "13 tokenizers come from the Hub": Said(
        "fpack_cache_text_encoder_outputs.py",
        "framepack",
        ("OSError: We couldn't connect to 'https://huggingface.co' to load the files",),
        "tokenizer-missing",
    ),
    "13 PyTorch files": Refused(pickled, "file-pytorch", "dit.pt"),
}


@pytest.mark.parametrize("key", TRAPS)
def test_every_trap_has_its_answer(place: Any, key: str) -> None:
    TRAPS[key].check(place)


BAD_INPUT: dict[str, Refused] = {
    "more sections than the video has": Refused(
        lambda p: generate(section=p.parts("a", "b", "c"))(p), "framepack-sections-too-many", 3, 2
    ),
    "a separator in the prompt": Refused(generate(prompt="a;;;5:never"), "framepack-separator-not-allowed", ";;;"),
    "an empty section": Refused(lambda p: p.parts(" "), "prompt-empty"),
    "samples of less than a section": Refused(
        train_with(sampling=samples(sample_frames=1), latent_window_size=lambda p: 2),
        "frames-not-allowed",
        "'a cat'",
        9,
    ),
    "samples of one-frame training": Refused(one_frame_without_samples, "samples-not-possible"),
    "another vae_dtype for training": Refused(
        train_with(vae_dtype=lambda p: "bfloat16"), "framepack-vae-dtype-not-allowed", "bfloat16"
    ),
}


@pytest.mark.parametrize("key", BAD_INPUT)
def test_bad_input_is_refused_before_anything_starts(place: Any, key: str) -> None:
    BAD_INPUT[key].check(place)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ValueError: Not enough frames for FramePack: 9 frames ..., minimum required: 37", "video-too-short"),
        ("TypeError: unsupported operand type(s) for -: 'NoneType' and 'int'", "framepack-one-frame-missing"),
        ("AttributeError: module 'torch' has no attribute 'float8e4m3fn'", "framepack-fp8-not-scaled"),
        ("NotImplementedError: Unsupported solver.", "framepack-solver-unknown"),
        ("TypeError: object of type 'float' has no len()", "lora-multiplier-missing"),
        ("RuntimeError: The size of tensor a (12) must match the size of tensor b (13)", "size-not-divisible"),
    ],
)
def test_what_an_unusual_way_may_bring_is_explained(place: Any, line: str, code: str) -> None:
    Said("fpack_train_network.py", "framepack", (line,), code).check(place)


def test_samples_on_the_way_are_made(place: Any) -> None:
    made = place.train(sampling=samples()(place), sample_image=place.picture(), latent_window_size=2)
    assert list(Path(made.run.folder, "out", "sample").glob("*.mp4"))


def test_options_of_the_server_reach_the_trainer(place: Any) -> None:
    place.services.config.options["huggingface_repo_id"] = "me/loras"
    place.train()
    assert "--huggingface_repo_id=me/loras" in place.command()
