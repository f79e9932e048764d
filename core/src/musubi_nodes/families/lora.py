"""LoRA files: reading and checking."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.numbers_of import check_numbers
from musubi_nodes.families.recognition.loras import PREFIX, is_lora
from musubi_nodes.families.sockets import Lora, Run
from musubi_nodes.runs.record.checkpoints import of_training
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.weights import Header, read_header


def lora_format(header: Header) -> str:
    """Return ``musubi`` (``lora_unet_...``), ``other``, or "" for no LoRA."""
    if not is_lora(header):
        return ""
    return "musubi" if any(name.startswith(PREFIX) for name in header.tensors) else "other"


def lora_of(path: Path) -> Lora:
    """Return the socket of a LoRA file.

    ``family`` is musubi-tuner's ``ss_base_model_version`` (``wan``, ``hunyuan_video``, ``framepack``; v0.3.4).
    """
    header = read_header(path)
    return Lora(path=path, format=lora_format(header), family=header.metadata.get("ss_base_model_version", ""))


def checkpoints_of(run: Run) -> list[Path]:
    """Return a training's complete LoRAs, oldest first, across resumes."""
    return [path for path, _ in of_training(RunFolder(run.folder))]


def check_trained(path: Path, log: Path) -> None:
    """Raise unless the LoRA is complete, finite and trained."""
    check_made(path, log)
    if not lora_format(read_header(path)):
        raise MusubiError("output-not-lora", f"{path.name} holds no LoRA", fix="Look into the log.", log=log)
    check_numbers(path, "trained LoRA", log)


def check_made(path: Path, log: Path) -> None:
    if not path.is_file():
        raise MusubiError(
            "output-missing",
            f"musubi-tuner ended without an error, but {path.name} is not there",
            why="Nothing was trained or it could not be saved.",
            fix="The log's last lines say more.",
            log=log,
        )
