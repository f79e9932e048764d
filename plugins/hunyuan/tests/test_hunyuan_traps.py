"""Traps of the real program (tests/facts/traps.toml) that concern HunyuanVideo, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musubi_nodes.families import Latent
from musubi_nodes.media.frames import ImageFiles
from musubi_nodes.testing.traps import Overridden, Provoke, Refused, Said, Trap

MODULE = "double_blocks_0_img_attn_proj"


def train_with_memory(**values: Any) -> Provoke:
    """Train on finished caches with a memory plan."""

    def provoke(p: Any) -> Any:
        caches = p.prepared()
        p.forget()
        return p.train(caches, memory=p.run("MemoryOptimizer", **values).memory)

    return provoke


def generate_with_memory(**values: Any) -> Provoke:
    return lambda p: p.generate(memory=p.run("MemoryOptimizer", **values).memory)


def wan_lora(p: Any) -> Any:
    return p.lora("blocks_0_self_attn_q")


def train_on(weights: str) -> Provoke:
    """Train from, or on top of, a LoRA of Wan."""

    def provoke(p: Any) -> Any:
        caches = p.prepared()
        p.forget()
        return p.train(caches, **{weights: wan_lora(p)})

    return provoke


def half_a_text_cache(p: Any) -> Any:
    """An interrupted run leaves files that the second text encoder has not written yet."""
    from safetensors.numpy import load_file, save_file

    caches = p.caches()
    for file in p.folder.glob("output/musubi/cache/**/*_hv_te.safetensors"):
        save_file({name: value for name, value in load_file(file).items() if not name.startswith("clipL")}, file)
    p.forget()
    return p.train(caches)


def latent_of(output_type: str) -> Provoke:
    def provoke(p: Any) -> Any:
        latent = Latent(path=p.weights("loras", "a_latent.safetensors", latent=(1, 16, 2, 8, 12)))
        return p.generate(latent=latent, output_type=output_type)

    return provoke


def decoded(p: Any) -> Any:
    """A latent of an earlier run, decoded without a prompt of its own."""
    latent = p.generate(output_type="latent").latent
    return p.generate(latent=latent, prompt="")


def two_loras(p: Any) -> Any:
    first = p.lora(MODULE, name="first.safetensors")
    return p.generate(lora=p.run("LoRASelect", lora="first.safetensors", multiplier=0.5, previous=first).lora)


def folder(kind: str, field: str) -> Provoke:
    """A folder of that name lies among the models."""

    def provoke(p: Any) -> Any:
        (p.host.output_folder / "models" / kind / "unpacked").mkdir(parents=True)
        return p.models(**{field: "unpacked"})

    return provoke


def pickled(kind: str, field: str) -> Provoke:
    """A PyTorch file, which begins like a zip archive."""

    def provoke(p: Any) -> Any:
        path = p.host.output_folder / "models" / kind / "file.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"PK\x03\x04" + b" " * 100)
        return p.models(**{field: "file.pt"})

    return provoke


def i2v_without_picture(p: Any) -> Any:
    return p.generate(models=p.models().model_copy(update={"task": "i2v"}))


TRAPS: dict[str, Trap] = {
    "4 video_length is rounded down": Refused(lambda p: p.generate(video_length=6), "frames-not-allowed", 6, "N*4+1"),
    "7 LoRA of another model": Refused(lambda p: p.generate(lora=wan_lora(p)), "lora-other-model", "Wan"),
    "7 LoRA of another model / network_weights": Refused(train_on("network_weights"), "lora-other-model", "Wan"),
    "7 LoRA of another model / base_weights": Refused(train_on("base_weights"), "lora-other-model", "Wan"),
    "7 LoRA converted to other": Refused(
        lambda p: p.generate(lora=p.lora("double_blocks.0.img_attn_proj", other=True)), "lora-not-converted", "ComfyUI"
    ),
    "7 save_merged_model without a LoRA; 13 save_merged_model generates": Refused(
        lambda p: p.generate(extra_options="save_merged_model = 'x.safetensors'"),
        "option-refused",
        "--save_merged_model",
    ),
    "8 VAE missing": Refused(lambda p: p.models(vae="gone.safetensors"), "model-missing", "gone.safetensors"),
    "8 VAE not given": Refused(lambda p: p.models(vae=""), "model-missing", "''"),
    "8 VAE of another model": Refused(
        lambda p: p.models(vae="miniature/wan_vae.safetensors"), "model-other-kind", "HunyuanVideo's VAE"
    ),
    "8 other model as DiT": Refused(
        lambda p: p.models(dit="miniature/wan_t2v_14b.safetensors"),
        "model-other-kind",
        "a Wan T2V DiT",
        "a HunyuanVideo DiT",
    ),
    "8 i2v DiT with t2v task": Refused(
        lambda p: p.models(dit="miniature/hunyuan_video_i2v.safetensors"), "model-other-task", "t2v"
    ),
    "8 i2v DiT with t2v task / reversed": Refused(lambda p: p.models(task="i2v"), "model-other-task", "i2v"),
    "8 half a text cache": Refused(half_a_text_cache, "cache-changed", "text"),
    "8 size not divisible by 8": Refused(lambda p: p.generate(width=100), "size-not-divisible", 96, 112),
    "8 size divisible by 8 only": Refused(lambda p: p.generate(width=104), "size-not-divisible", 96, 112),
    "11 length, steps and size of a video": Overridden(
        lambda p: p.generate(),
        sent=("--video_length=5", "--infer_steps=2", "--video_size\n64\n96", "--flow_shift=7.0", "--fps=24"),
    ),
    "11 lora_multiplier": Overridden(lambda p: p.generate(lora=p.lora(MODULE)), sent=("--lora_multiplier\n1.0",)),
    "12 fp8_scaled in training": Refused(train_with_memory(fp8="fp8_scaled"), "setting-not-possible", "fp8_scaled"),
    "12 sage in training": Refused(train_with_memory(attention="sage"), "setting-not-possible", "sage"),
    "12 xformers without split_attn": Refused(train_with_memory(attention="xformers"), "setting-missing", "split_attn"),
    "12 from_file with interactive": Refused(
        lambda p: p.generate(extra_options="interactive = true\nfrom_file = 'x.txt'"), "option-refused", "--interactive"
    ),
    "12 latent_path with another output_type": Refused(latent_of("latent"), "output-type-not-possible", "latent"),
    "12 latent_path with another output_type / both": Refused(latent_of("both"), "output-type-not-possible", "both"),
    "12 latent_path alone": Overridden(
        decoded,
        sent=("--latent_path\n.+", "--dit=.+", "--vae=.+", "--text_encoder1=.+", "--text_encoder2=.+", "--prompt=.+"),
    ),
    "12 too many blocks to swap": Refused(train_with_memory(blocks_to_swap=37), "blocks-to-swap-too-large", 37, 36),
    "12 too many blocks to swap / generating": Refused(
        generate_with_memory(blocks_to_swap=39), "blocks-to-swap-too-large", 39, 38
    ),
    "13 batch_size 16 has no effect": Refused(lambda p: p.caches(batch_size=16), "batch-size-too-large", 16, 1),
    "13 number of multipliers": Overridden(two_loras, sent=("--lora_multiplier\n1.0\n0.5",)),
    "13 fp8_fast without fp8": Refused(lambda p: p.generate(fp8_fast=True), "setting-missing", "fp8_fast", "fp8"),
    "13 a folder as DiT": Refused(folder("diffusion_models", "dit"), "model-missing", "unpacked"),
    "13 a folder as text encoder": Refused(folder("text_encoders", "text_encoder1"), "model-missing", "unpacked"),
    "13 tokenizers come from the Hub / CLIP": Said(
        "cache_text_encoder_outputs.py",
        "hunyuan",
        ("TypeError: expected str, bytes or os.PathLike object, not NoneType",),
        "tokenizer-missing",
    ),
    "13 tokenizers come from the Hub / Llama": Said(
        "cache_text_encoder_outputs.py",
        "hunyuan",
        ("ValueError: Either model_file or model_proto must be specified",),
        "tokenizer-missing",
    ),
    "13 PyTorch files": Refused(pickled("text_encoders", "text_encoder1"), "file-pytorch", "file.pt"),
}


@pytest.mark.parametrize("key", TRAPS)
def test_every_trap_has_its_answer(place: Any, key: str) -> None:
    TRAPS[key].check(place)


BAD_INPUT: dict[str, Refused] = {
    "i2v without a picture": Refused(i2v_without_picture, "start-image-missing", "i2v"),
    "a picture for t2v": Refused(
        lambda p: p.generate(image=ImageFiles((p.dataset().with_suffix("") / "p0.png",))),
        "start-image-unexpected",
        "t2v",
    ),
}


@pytest.mark.parametrize("key", BAD_INPUT)
def test_bad_input_is_refused_before_anything_starts(place: Any, key: str) -> None:
    BAD_INPUT[key].check(place)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("AssertionError: Latent size must be divisible by patch size", "size-not-divisible"),
        ("KeyError: 'clipL'", "cache-incomplete"),
        ("AssertionError: VAE path does not exist", "model-missing"),
        ("TypeError: object of type 'float' has no len()", "lora-multiplier-missing"),
    ],
)
def test_what_an_unusual_way_may_bring_is_explained(place: Any, line: str, code: str) -> None:
    Said("hv_generate_video.py", "hunyuan", (line,), code).check(place)


def test_a_pytorch_file_is_taken_where_musubi_tuner_reads_one(place: Any) -> None:
    models = pickled("diffusion_models", "dit")(place)
    assert Path(models.dit).name == "file.pt"


def test_options_of_the_server_reach_the_trainer(place: Any) -> None:
    place.services.config.options["huggingface_repo_id"] = "me/loras"
    place.train()
    assert "--huggingface_repo_id=me/loras" in place.command()
