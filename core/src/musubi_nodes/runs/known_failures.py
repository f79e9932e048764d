"""Failures that any script of musubi-tuner may have (texts of v0.3.4)."""

from __future__ import annotations

from typing import NamedTuple

from musubi_nodes.runs.full import DISK, FILE, GPU, RAM, SHARED, WORKER, Word


class Row(NamedTuple):
    """``pattern`` begins the last error line, or its exception's message."""

    pattern: str
    code: str
    why: str
    fix: str


FULL: tuple[tuple[tuple[Word, ...], str, str, str], ...] = (
    (
        GPU,
        "gpu-out-of-memory",
        "The GPU's memory is full.",
        "In the Memory Optimizer raise blocks_to_swap, turn on fp8 or gradient checkpointing; or use a smaller "
        "resolution, fewer frames or a lower rank.",
    ),
    (
        SHARED,
        "shared-memory-full",
        "The shared memory (/dev/shm), through which data loader workers pass data, is full.",
        "In a container give it more shared memory (--shm-size), or use fewer data loader workers.",
    ),
    (
        RAM,
        "ram-out-of-memory",
        "The main memory (RAM) is full; on Windows the paging file is part of it.",
        "Close other programs, use fewer data loader workers, or enlarge the swap file (Windows: the paging file).",
    ),
    (
        DISK,
        "disk-full",
        "The disk is full.",
        "Free some space on the drive of the output folder, then queue again.",
    ),
    (
        FILE,
        "file-too-large",
        "A file became larger than its drive allows (FAT32: 4 GB), or than this user's limit (`ulimit -f`).",
        "Choose an output folder on a drive with another file system, or raise the limit.",
    ),
)
"""Looked for in the whole last error, whose final line often differs."""

KNOWN: tuple[Row, ...] = (
    Row(
        r"cannot start ",
        "script-not-started",
        "The program of this install does not exist, or may not be run.",
        "Correct MUSUBI_TUNER_PYTHON, or `python` of the install in config.toml; `musubi-nodes doctor` checks it.",
    ),
    Row(
        rf"{WORKER} (?:exited unexpectedly|is killed by signal)",
        "data-loader-worker-ended",
        "A process that reads the dataset ended; nearly always because the main memory (RAM) was full.",
        "Lower max_data_loader_n_workers, close other programs, or enlarge the swap file.",
    ),
    Row(
        r"[\w.-]+\.py: error: (?:unrecognized arguments|ambiguous option|argument )",
        "option-not-accepted",
        "This musubi-tuner does not accept the option as it was given.",
        "Run `musubi-nodes doctor`; update musubi-tuner if it is older than the option.",
    ),
    Row(
        r"No training items found",
        "cache-missing",
        "No item has both a latent cache and a text encoder cache.",
        "Queue the latent cache and the text encoder cache nodes of this dataset again.",
    ),
    Row(
        r"Can't pickle <class 'safetensors_rust\.SafetensorError'>|Error while deserializing header: ",
        "file-damaged",
        "A weights or cache file is damaged: only part of it is there, or it is not a safetensors file.",
        "The lines above in the log name it. Download the weights again, or delete that cache file and cache again.",
    ),
    Row(
        r"Error\(s\) in loading state_dict|size mismatch for|(?:Missing|Unexpected) key\(s\) in state_dict"
        r"|shape '\[[\d, -]*\]' is invalid for input of size|Could not find the dtype in the model weights",
        "model-other-kind",
        "The weights do not belong to this task or model.",
        "Choose the file that fits the task in the models node.",
    ),
    Row(
        r"Cannot copy out of meta tensor",
        "vae-other-kind",
        "The VAE file is not the VAE of this model.",
        "Choose the right VAE in the models node.",
    ),
    Row(
        r"ModuleNotFoundError\b|No module named ",
        "package-missing",
        "A Python package is missing in musubi-tuner's environment.",
        "Run `musubi-nodes doctor`, then install musubi-tuner's requirements into its own environment.",
    ),
    Row(
        r"No bitsandbytes|module 'bitsandbytes|CUDA Setup failed despite",
        "bitsandbytes-missing",
        "The 8-bit optimizers need the package bitsandbytes in musubi-tuner's environment.",
        "Install it there, or choose AdamW in the optimizer node.",
    ),
    Row(
        r"We couldn't connect to 'https://huggingface.co'|expected str, bytes or os.PathLike object, not NoneType"
        r"|Either model_file or model_proto must be specified|(?:[\w.]+\.)?LocalEntryNotFoundError",
        "tokenizer-missing",
        "A tokenizer has to be downloaded once from the Hugging Face Hub, which cannot be reached.",
        "Connect to the internet for the first run, or set HF_HOME to a folder that has the tokenizer.",
    ),
    Row(
        r"(?:[\w.]+\.)?(?:UnidentifiedImageError|InvalidDataError)|cannot identify image file|image file is truncated",
        "media-unreadable",
        "An image or video of the dataset cannot be read.",
        "Replace or remove the file.",
    ),
    Row(
        r"UnicodeDecodeError",
        "file-not-utf8",
        "A caption or the dataset TOML is not UTF-8.",
        "Save the file as UTF-8 and queue again.",
    ),
    Row(
        r"(?:(?:CUDA|HIP) error: |CUDA initialization: |Unexpected error from cudaGetDeviceCount\(\)\. .{0,200})?"
        r"(?:CUDA driver version is insufficient|no kernel image is available)|Torch not compiled with CUDA"
        r"|No CUDA GPUs|The NVIDIA driver on your system is too old",
        "gpu-unusable",
        "PyTorch in musubi-tuner's environment cannot use this GPU.",
        "Run `musubi-nodes doctor`; install a PyTorch with the right CUDA version there.",
    ),
    Row(
        r"'NoneType' object is not callable|FlashAttention|flash_attn|xformers|either --sdpa, --flash",
        "attention-package-missing",
        "The chosen attention needs a package that is missing in musubi-tuner's environment.",
        "Choose sdpa in the Memory Optimizer, or install the package there.",
    ),
    Row(
        r"KeyError: '(latents_image|clip|latents_control)'",
        "cache-other-task",
        "The latent cache was made for another task.",
        "Queue the latent cache again with the models node set to this task.",
    ),
    Row(
        r"Alpha tensors for key .* do not match",
        "network-alphas-differ",
        "The checkpoints were trained with different values of network_alpha.",
        "Average checkpoints of one training only.",
    ),
)

ASKED = ("SIGTERM", "SIGINT", "SIGHUP")
"""Sent by people or at shutdown; full RAM leads to SIGKILL instead."""

OUTSIDE: dict[str, tuple[str, str, str]] = {
    "SIGKILL": (
        "script-killed",
        "It was killed from outside; Linux does that when the main memory (RAM) is full.",
        "Close other programs, use fewer data loader workers or enlarge the swap file, then queue again.",
    ),
    **dict.fromkeys(
        ASKED,
        (
            "script-ended-from-outside",
            "It was ended from outside, by a person or by the system's shutdown.",
            "Queue again.",
        ),
    ),
}
"""Signals that a script never sends to itself."""

CRASHES: dict[str, tuple[str, str, str]] = {
    "SIGBUS": (
        "shared-memory-full",
        "The shared memory (/dev/shm) or a mapped file ended too early.",
        "In a container give it more shared memory (--shm-size), or use fewer data loader workers.",
    ),
    **dict.fromkeys(
        ("SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE"),
        (
            "script-crashed",
            "It crashed inside a compiled library, not in Python.",
            "Choose sdpa as attention, if it is not chosen already; then update the GPU driver and musubi-tuner's "
            "PyTorch.",
        ),
    ),
}

_NEEDS_MEMORY = (
    "ram-out-of-memory",
    "Windows had no memory left: RAM and the paging file are full.",
    "Close other programs, use fewer data loader workers, or enlarge the paging file.",
)
_COMPILED = CRASHES["SIGSEGV"]
WINDOWS: dict[int, tuple[str, str, str]] = {
    0xC0000005: (
        "script-crashed",
        f"{_COMPILED[1]} On Windows that also happens when RAM and the paging file are full.",
        "Enlarge the paging file and close other programs; then update the GPU driver and PyTorch of musubi-tuner.",
    ),
    **dict.fromkeys((0xC0000017, 0xC000009A, 0xC000012D), _NEEDS_MEMORY),
    **dict.fromkeys((0xC000001D, 0xC0000094, 0xC00000FD, 0xC0000374, 0xC0000409, 0xE06D7363, 0x80000003), _COMPILED),
    0xC0000006: (
        "drive-unreadable",
        "A file could not be read from its drive.",
        "Check the drive or the network share of the models and the dataset, then queue again.",
    ),
    **dict.fromkeys(
        (0xC0000135, 0xC0000139, 0xC0000142),
        (
            "dll-missing",
            "A DLL that a package of musubi-tuner's environment needs is missing or broken.",
            "Install Microsoft's Visual C++ runtime, then reinstall PyTorch in that environment.",
        ),
    ),
}
"""Exit codes of Windows (ntstatus.h)."""
NO_MEMORY = frozenset((0xC0000017, 0xC000009A, 0xC000012D))
