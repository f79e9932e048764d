"""Who may set an option: the runner, a typed field, the server's configuration, or anybody under "extra options".

This is the only table of its kind. A workflow can come from a stranger, so paths, importable names and secrets are
never free text.
"""

from __future__ import annotations

import re

RUNNER = frozenset(
    [
        "config_file",
        "dataset_config",
        "output_dir",
        "output_name",
        "logging_dir",
        "save_path",
        "interactive",
        "from_file",
        "debug_mode",
        "debug_dataset",
        "console_width",
        "console_back",
        "console_num_images",
        "show_timesteps",
        "skip_existing",
        "keep_cache",
        "device",
        "output_file",
        "input",
        "output",
        "save_merged_model",
    ]
)
"""Set by the runner: where files go, what is kept, which device, and modes that wait for a keyboard or a window."""

IMPORTABLE = frozenset(["network_module", "optimizer_type", "lr_scheduler", "lr_scheduler_type"])
"""Dotted Python names that musubi-tuner imports (a free string would run code: facts on v0.3.4)."""

SECRET = frozenset(["wandb_api_key", "huggingface_token"])
"""Keys: they come from the server's configuration and reach the child by environment, never by command line."""

_UPLOAD = re.compile(r"huggingface_\w+|async_upload|save_state_to_huggingface|resume_from_huggingface")
_PATH = re.compile(
    r"(.*_)?(path|paths|dir|directory|file|files|folder|weights?|ckpt|checkpoint|config)"
    r"|(.*_)?(dit|vae|t5|clip|model|module|encoder|adapter|tokenizer|prompts)\d*(_high_noise)?"
    r"|text_encoder\d*|image_encoder|resume|(mask|ref|control)_images?|lora_weight.*|.*_(path|weight)_.*"
)
_NOT_PATHS = frozenset(["diffusers_prefix", "huggingface_path_in_repo", "log_config"])


def refusal(name: str) -> str:
    """Why ``--name`` cannot be set under "extra options"; an empty string where it can."""
    if name in RUNNER:
        return "the runner sets it"
    if name in SECRET:
        return "keys come from the server's configuration only ([secrets] in config.toml)"
    if _UPLOAD.fullmatch(name):
        return "uploads leave this machine: only the server's configuration may set them ([options] in config.toml)"
    if name in IMPORTABLE:
        return "musubi-tuner imports the Python name it is given: use the node's own choices"
    if name not in _NOT_PATHS and _PATH.fullmatch(name):
        return "it is a path: use the node's own field for it"
    return ""
