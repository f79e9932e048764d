"""What a training makes: a LoRA or a whole model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.families.context import Context
from musubi_nodes.families.lora import check_trained
from musubi_nodes.families.lora_fits import check_fits
from musubi_nodes.families.model_fits import check_model, check_same_tensors
from musubi_nodes.files import publish


@dataclass(frozen=True)
class Product:
    """How files of one kind are checked and published.

    ``kind`` is ComfyUI's model folder. ``check`` gets the file and the log, ``fits`` the file and the DiT; both raise.
    ``moves``: the run folder keeps no copy.
    """

    kind: str
    check: Callable[[Path, Path], None]
    fits: Callable[[Path, Path], object]
    moves: bool = False

    def folder(self, context: Context) -> Path:
        return context.host.model_folders(self.kind)[0] / "musubi"

    def publish(self, context: Context, made: Path, name: str = "", complete: bool = True) -> Path:
        """Publish under an unused name."""
        path = publish(made, self.folder(context), name or made.name, move=self.moves)
        context.track_output(path, complete=complete)
        return path


LORA = Product("loras", check_trained, check_fits)
MODEL = Product("diffusion_models", check_model, check_same_tensors, moves=True)

publish_lora = LORA.publish
