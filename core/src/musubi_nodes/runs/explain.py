"""From the last lines of a failed run to one message: the script's own last words, a cause and a fix."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError


@dataclass(frozen=True)
class Failure:
    """A run that failed: which script, of which family ("" for none), its exit code and its last output pieces."""

    script: str
    family: str
    returncode: int
    lines: Sequence[str]

    @property
    def reason(self) -> str:
        """The script's own last error line; accelerate's ``CalledProcessError`` below it does not count."""
        for line in reversed(self.lines):
            if _ERROR_LINE.match(line) and not line.startswith(_LAUNCHER):
                return line[:500]
        return ""

    def contains(self, pattern: str) -> bool:
        """Whether any of the last pieces matches the regular expression."""
        return any(re.search(pattern, line) for line in self.lines)


@dataclass(frozen=True)
class Explanation:
    """Why it failed and what to do, in plain words."""

    why: str
    fix: str


Explainer = Callable[[Failure], "Explanation | None"]

_ERROR_LINE = re.compile(
    r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Invalid|Interrupt|Exit|OutOfMemory\w*|Warning)\b(?::| ).*"
    r"|^[\w.]+\.py: error: "
    r"|^(?:AssertionError|KeyError|StopIteration)$|^\w+(?:\.\w+)+: .*|^Fatal Python error"
)
_LAUNCHER = ("subprocess.CalledProcessError", "torch.distributed.elastic")

_TABLE: tuple[tuple[str, str, str], ...] = (
    (
        r"CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED|hip.*out of memory",
        "The GPU's memory is full.",
        "In the Memory Optimizer raise blocks_to_swap, turn on fp8 or gradient checkpointing; or use a smaller "
        "resolution, fewer frames or a lower rank.",
    ),
    (
        r"DefaultCPUAllocator: can't allocate memory|MemoryError|Cannot allocate memory",
        "The main memory (RAM) is full.",
        "Close other programs, use fewer data loader workers, or enlarge the swap file.",
    ),
    (
        r"No space left on device|Errno 28|There is not enough space on the disk",
        "The disk is full.",
        "Free some space on the drive of the output folder, then queue again.",
    ),
    (
        r"unrecognized arguments|ambiguous option|invalid choice|error: argument",
        "This musubi-tuner does not take the option as it was given.",
        "Run `musubi-nodes doctor`; update musubi-tuner if it is older than the option.",
    ),
    (
        r"No training items found",
        "No item has both a latent cache and a text encoder cache.",
        "Queue the latent cache and the text encoder cache nodes of this dataset again.",
    ),
    (
        r"PicklingError.*SafetensorError|MetadataIncompleteBuffer|HeaderTooLarge|HeaderTooSmall|InvalidHeader",
        "A weights or cache file is damaged: only a part of it is there, or it is no safetensors file.",
        "The lines above in the log name it. Download the weights again, or delete that cache file and cache again.",
    ),
    (
        r"size mismatch for|Missing key\(s\) in state_dict|Unexpected key\(s\) in state_dict|is invalid for input of size",
        "The weights do not belong to this task or model.",
        "Choose the file that fits the task in the models node.",
    ),
    (
        r"Cannot copy out of meta tensor",
        "The VAE file is not the VAE of this model.",
        "Choose the right VAE in the models node.",
    ),
    (
        r"No module named '(musubi_tuner|torch|accelerate|transformers|diffusers)|ModuleNotFoundError",
        "A Python package is missing in musubi-tuner's environment.",
        "Run `musubi-nodes doctor`, then install musubi-tuner's requirements into its own environment.",
    ),
    (
        r"No bitsandbytes|bitsandbytes",
        "The 8-bit optimizers need the package bitsandbytes in musubi-tuner's environment.",
        "Install it there, or choose AdamW in the optimizer node.",
    ),
    (
        r"We couldn't connect to 'https://huggingface.co'|expected str, bytes or os.PathLike object, not NoneType"
        r"|Either model_file or model_proto must be specified|LocalEntryNotFoundError",
        "A tokenizer has to be fetched from the Hugging Face Hub once, and the Hub cannot be reached.",
        "Connect to the internet for the first run, or set HF_HOME to a folder that has the tokenizer.",
    ),
    (
        r"UnidentifiedImageError|InvalidDataError|cannot identify image file|image file is truncated",
        "An image or video of the dataset cannot be read.",
        "The lines above in the log name it. Replace or remove the file.",
    ),
    (
        r"UnicodeDecodeError",
        "A caption or the dataset TOML is not UTF-8.",
        "Save the file as UTF-8 and queue again.",
    ),
    (
        r"CUDA driver version is insufficient|no kernel image is available|Torch not compiled with CUDA|No CUDA GPUs",
        "PyTorch in musubi-tuner's environment cannot use this GPU.",
        "Run `musubi-nodes doctor`; install a PyTorch with the right CUDA version there.",
    ),
    (
        r"'NoneType' object is not callable|FlashAttention|flash_attn|xformers",
        "The chosen attention needs a package that is missing in musubi-tuner's environment.",
        "Choose sdpa in the Memory Optimizer, or install the package there.",
    ),
    (
        r"KeyError: '(latents_image|clip|latents_control)'",
        "The latent cache was made for another task.",
        "Queue the latent cache again with the models node set to this task.",
    ),
    (
        r"k_lens is not supported|either --sdpa",
        "The chosen attention does not fit this run.",
        "Choose sdpa, with a resolution that is divisible by 16.",
    ),
)


def builtin(failure: Failure) -> Explanation | None:
    """The explanations that hold for every family (texts seen from v0.3.4; facts, section 8)."""
    reason = failure.reason
    for pattern, why, fix in _TABLE:
        if re.search(pattern, reason):
            return Explanation(why, fix)
    for pattern, why, fix in _TABLE[:3]:
        if failure.contains(pattern):
            return Explanation(why, fix)
    return None


def explained(failure: Failure, explainers: Iterable[Explainer], log: Path) -> MusubiError:
    """One error for the user; the first explainer that knows the failure wins, the built-in ones come last."""
    found = next((e for ask in (*explainers, builtin) if (e := ask(failure))), None)
    reason = failure.reason or (failure.lines[-1][:500] if failure.lines else "")
    ended = _ended(failure.returncode)
    return MusubiError(
        f"{failure.script} {ended}: {reason}" if reason else f"{failure.script} {ended}",
        why=found.why if found else "",
        fix=found.fix if found else "The log holds the whole output; its last lines say most.",
        log=log,
    )


def _ended(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"failed with code {code}"
