"""Who may set an option.

A workflow may come from a stranger: paths, importable names and secrets are never free text.
"""

from __future__ import annotations

import re

from musubi_nodes.commands.tables import OptionSpec
from musubi_nodes.config import LOGINS, is_secret

RUNNER = frozenset(
    "config_file dataset_config output_dir output_name logging_dir save_path interactive from_file debug_mode "
    "debug_dataset console_width console_back console_num_images show_timesteps skip_existing keep_cache device "
    "output_file input output save_merged_model".split()
)
"""Set by the runner: files, device, and interactive modes."""

IMPORTABLE = frozenset("network_module optimizer_type lr_scheduler lr_scheduler_type".split())
"""Python names that musubi-tuner imports, so free text would run code."""

SECRET = frozenset(LOGINS)
"""Passed by environment only, from the server's configuration."""

PATHS = frozenset(
    "base_weights byt5 ckpt_dir clip control_image_mask_path control_image_path control_path dit dit_high_noise "
    "end_image_path i image_dir image_encoder image_last image_path latent_path layout_bboxes log_tracker_config "
    "lora_weight lora_weight_high_noise mask_path model_org model_path model_tuned network_weights network_weights_ema "
    "network_weights_proj override_dit path ref_images resume sample_prompts save_to t5 text_encoder "
    "text_encoder1 text_encoder2 text_encoder_clip text_encoder_qwen turbo_dit unconditional_dit vae video_path".split()
)
"""Options of v0.3.4 that name files or folders."""

NAMES = frozenset("log_prefix log_tracker_name".split())
"""Folder names below logging_dir (accelerator_setup.py, v0.3.4)."""

_UPLOAD = re.compile(r"huggingface_\w+|async_upload|save_state_to_huggingface|resume_from_huggingface")
_LOOKS_LIKE_PATH = re.compile(
    r"(.*_)?(path|dir|directory|file|folder|weight|ckpt|checkpoint|config|image|video|dit|vae|clip|model|encoder|adapter"
    r"|tokenizer)s?\d*(_.*)?|.*_(to|from)"
)


def is_upload(name: str) -> bool:
    return bool(_UPLOAD.fullmatch(name))


def refusal(spec: OptionSpec, *, known: bool = True) -> str:
    """Return why ``spec`` can't be an extra option, or "".

    Options that aren't ``known`` from a stored table are judged by name.
    """
    name = spec.name
    if name in RUNNER:
        return "the runner sets it"
    if is_secret(name):
        return "keys come from the server's configuration only ([secrets] in config.toml)"
    if is_upload(name):
        return "uploads leave this machine: only the server's configuration may set them ([options] in config.toml)"
    if name in IMPORTABLE:
        return "musubi-tuner imports the Python name it is given: use the node's own choices"
    takes_text = not spec.flag and spec.kind in ("str", "Path", "") and not spec.choices
    if name in PATHS or (takes_text and not known and _LOOKS_LIKE_PATH.fullmatch(name)):
        return "it names a file or folder: use the node's own field for it"
    return ""
