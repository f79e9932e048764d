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

NAMES = frozenset("log_prefix log_tracker_name".split())
"""Folder names below logging_dir (accelerator_setup.py, v0.3.4)."""

_UPLOAD = re.compile(r"huggingface_\w+|async_upload|save_state_to_huggingface|resume_from_huggingface")
_LOOKS_LIKE_PATH = re.compile(
    r"(.*_)?(path|dir|directory|file|folder|weight|ckpt|checkpoint|config|image|video|dit|vae|clip|model|encoder|adapter"
    r"|tokenizer)s?\d*(_.*)?|.*_(to|from)|byt5|i|layout_bboxes|ref_images|resume|sample_prompts|t5"
)
_TEXTS = frozenset("dino_loss_model_type dit_dtype model_version text_encoder_dtype vae_dtype".split())
"""Named like files, but texts (v0.3.4)."""


def is_upload(name: str) -> bool:
    return bool(_UPLOAD.fullmatch(name))


def names_file(spec: OptionSpec) -> bool:
    """Whether the option takes a path, judged by its type and name."""
    takes_text = not spec.flag and spec.kind in ("str", "Path", "") and not spec.choices
    return takes_text and spec.name not in _TEXTS and bool(_LOOKS_LIKE_PATH.fullmatch(spec.name))


def refusal(spec: OptionSpec) -> str:
    """Return why ``spec`` can't be an extra option, or ""."""
    name = spec.name
    if name in RUNNER:
        return "the runner sets it"
    if is_secret(name):
        return "keys come from the server's configuration only ([secrets] in config.toml)"
    if is_upload(name):
        return "uploads leave this machine: only the server's configuration may set them ([options] in config.toml)"
    if name in IMPORTABLE:
        return "musubi-tuner imports the Python name it is given: use the node's own choices"
    if names_file(spec):
        return "it names a file or folder: use the node's own field for it"
    return ""
