"""Which settings a saved state keeps, whatever the trainer is set to: those of optimizer, scheduler and LoRA."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.settings import Optimizer, Training
from musubi_nodes.families.training.fingerprint import PLAN, TrainingFingerprint
from musubi_nodes.files import FileStamp
from musubi_nodes.runs.record.folder import RunFolder

KEPT = frozenset(Optimizer.model_fields) - {"max_grad_norm"} | {
    *("learning_rate", "network_dim", "network_alpha", "network_args")
}
"""``accelerator.load_state`` restores the optimizer's groups with their rates and decay, the scheduler and the LoRA's
weights and alpha (accelerate 1.6, trainer_base.py, v0.3.4); the LoRA's metadata would tell the new values."""


def check_kept(run: RunFolder, fingerprint: TrainingFingerprint) -> None:
    """Raise a :class:`MusubiError` where a training would go on with other values than it is set to."""
    before = run.read_json(PLAN).get("settings")
    if not isinstance(before, dict):
        raise MusubiError(
            "state-settings-unknown",
            f"resume: {run.path.name} has no record of its settings",
            why="The optimizer in a state keeps its learning rate and more, and nothing tells which.",
            fix="Take a state of another run, or begin a new training with its LoRA on network_weights.",
        )
    now = {name: value for name, value in fingerprint.settings.items() if name in KEPT}
    found = [(name, str(before.get(name, _default(name))), value) for name, value in sorted(now.items())]
    if differing := [f"{name} {old[:80]}, not {new[:80]}" for name, old, new in found if old != new]:
        raise MusubiError(
            "state-settings-mismatch",
            f"resume: the state of {run.path.name} has {'; '.join(differing[:5])}",
            why="musubi-tuner goes on with the optimizer, scheduler and LoRA of the state. Other settings would be "
            "ignored, or end in an error once everything is loaded.",
            fix="Set them as they were. For other ones begin a new training with the state's LoRA on network_weights.",
        )


def _default(name: str) -> str:
    """Of a field that came after the state was saved."""
    fields = Optimizer.model_fields | Training.model_fields
    return repr(fields[name].default) if name in fields else ""


def stamps_of_state(state: Path) -> str:
    """What names the files of a state; "" where there is none."""
    try:
        return " ".join(f"{path.name} {FileStamp.lasting(path)}" for path in sorted(state.iterdir()) if path.is_file())
    except OSError:
        return ""
