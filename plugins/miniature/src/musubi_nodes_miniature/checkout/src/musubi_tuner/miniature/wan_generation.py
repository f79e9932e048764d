"""``wan_generate_video.py``: one prompt, a file of prompts, or a latent to decode."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .families import Family
from .output import MAIN
from .outputs import save_latent
from .prompts import generation_prompt, read_prompts, with_overrides
from .tensors import Tensor, load, metadata_of
from .wan_models import TASKS
from .wan_pipeline import Pipeline


def run(args: argparse.Namespace, parser: argparse.ArgumentParser, family: Family) -> None:
    """Generate."""
    print("Trying to import sageattention\nFailed to import sageattention")
    check(args)
    args.device = args.device if args.device is not None else "cpu"
    MAIN.info(f"Using device: {args.device}")
    if args.latent_path:
        decode_file(args)
    elif args.from_file:
        set_defaults(args)
        generate_batch(args)
    elif args.interactive:
        set_defaults(args)
        interact(args)
    else:
        set_defaults(args)
        generate_one(args)
    MAIN.info("Done!")


def check(args: argparse.Namespace) -> None:
    """Combinations that upstream refuses at once."""
    if args.from_file and args.interactive:
        raise ValueError("Cannot use both --from_file and --interactive at the same time")
    if args.prompt is None and not args.from_file and not args.interactive and args.latent_path is None:
        raise ValueError("Either --prompt, --from_file, --interactive, or --latent_path must be specified")
    assert not args.latent_path or args.output_type in ("images", "video"), (
        "latent_path is only supported for images or video output"
    )
    if args.lycoris and find_spec("lycoris") is None:
        raise ValueError("install lycoris: https://github.com/KohakuBlueleaf/LyCORIS")
    assert not (args.offload_inactive_dit and args.lazy_loading), (
        "--offload_inactive_dit and --lazy_loading cannot be used together"
    )


def set_defaults(args: argparse.Namespace) -> None:
    """Fill what was not given from the task."""
    task = TASKS[args.task]
    portrait_or_landscape = sorted(args.video_size) == [480, 832]
    shift = 3.0 if not task.v2_2 and "i2v" in args.task and portrait_or_landscape else task.shift
    defaults = {
        "infer_steps": task.steps,
        "timestep_boundary": task.boundary,
        "flow_shift": shift,
        "guidance_scale": task.guidance[0],
        "guidance_scale_high_noise": task.guidance[-1],
        "video_length": 1 if "t2i" in args.task else 81,
    }
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if "t2i" in args.task:
        assert args.video_length == 1, f"video_length should be 1 for task {args.task}"
    if args.timestep_boundary is not None and args.timestep_boundary > 1.0:
        smaller = args.timestep_boundary / 1000.0
        MAIN.warning(f"timestep_boundary {args.timestep_boundary} is greater than 1.0, setting to {smaller}")
        args.timestep_boundary = smaller


def check_size(args: argparse.Namespace) -> tuple[int, int]:
    """Height and width; sizes that are no multiple of 8 are refused."""
    height, width = args.video_size
    sizes = TASKS[args.task].sizes
    if f"{width}*{height}" not in sizes:
        MAIN.warning(f"Size {width}*{height} is not supported for task {args.task}. Supported sizes are {sizes}.")
    if height % 8 or width % 8:
        raise ValueError(f"`height` and `width` have to be divisible by 8 but are {height} and {width}.")
    return height, width


def wants_latent(args: argparse.Namespace) -> bool:
    return args.output_type in ("latent", "both", "latent_images")


def generate_one(args: argparse.Namespace) -> None:
    """``--prompt``."""
    height, width = check_size(args)
    MAIN.info(
        f"Video size: {height}x{width}@{args.video_length} (HxW@F), fps: {args.fps}, infer_steps: {args.infer_steps},"
        f" flow_shift: {args.flow_shift}"
    )
    pipeline = Pipeline(args)
    pipeline.announce_precision()
    if args.save_merged_model:
        # upstream writes no file here unless --lycoris is given, and says nothing
        pipeline.need_t5()
        pipeline.need_dits()
        sys.exit(0)
    latent = pipeline.generate(args)
    if wants_latent(args):
        save_latent(latent, args, height, width)
    pipeline.write(latent, args, "_")


def generate_batch(args: argparse.Namespace) -> None:
    """``--from_file``: all latents first, then all outputs; one failing prompt ends everything."""
    prompts = read_prompts(args.from_file)
    if not prompts:
        MAIN.warning("No valid prompts found")
        return
    pipeline = Pipeline(args)
    pipeline.announce_precision()
    MAIN.info("Loading text encoder to encode all prompts")
    pipeline.need_t5()
    pipeline.kept = {prompt["prompt"]: with_overrides(args, prompt) for prompt in prompts}
    if pipeline.i2v:
        MAIN.info("Loading VAE and CLIP for I2V preprocessing")
        pipeline.need_vae()
    MAIN.info("Loading DiT model(s)")
    pipeline.need_dits()
    if args.save_merged_model:
        MAIN.info("Model merged and saved. Exiting.")
        return
    made = []
    for number, prompt in enumerate(prompts, 1):
        MAIN.info(f"Processing prompt {number}/{len(prompts)}: {prompt['prompt'][:50]}...")
        changed = with_overrides(args, prompt)
        latent = pipeline.generate(changed)
        height, width = check_size(changed)
        if wants_latent(changed):
            save_latent(latent, changed, height, width)
        made.append((latent, changed))
    if args.output_type == "latent":
        return
    MAIN.info("Decoding latents to videos/images")
    pipeline.need_vae()
    for number, (latent, changed) in enumerate(made, 1):
        MAIN.info(f"Decoding output {number}/{len(made)}")
        pipeline.write(latent, changed, "", again=True)


def interact(args: argparse.Namespace) -> None:
    """``--interactive``: a prompt per line of stdin until its end."""
    print("Interactive mode. Enter prompts (Ctrl+D or Ctrl+Z (Windows) to exit):")
    pipeline = Pipeline(args)
    pipeline.announce_precision()
    for line in sys.stdin:
        if line.strip():
            changed = with_overrides(args, generation_prompt(line.strip()))
            latent = pipeline.generate(changed)
            height, width = check_size(changed)
            if wants_latent(changed):
                save_latent(latent, changed, height, width)
            pipeline.write(latent, changed, "")
    print("\nExiting interactive mode")


def decode_file(args: argparse.Namespace) -> None:
    """``--latent_path``: decode a latent that was saved earlier."""
    assert len(args.latent_path) == 1, "Only one latent path is supported for now"
    path = args.latent_path[0]
    tensor: Tensor = load(path)["latent"]
    metadata: dict[str, Any] = metadata_of(path) or {}
    MAIN.info(f"Loaded metadata: {metadata}")
    MAIN.info(f"Loaded latent from {path}. Shape: torch.Size({tensor.shape})")
    args.seed = int(metadata.get("seeds", 0))
    Pipeline(args).write(tensor.values, args, f"__{Path(path).stem}")
