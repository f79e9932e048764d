"""Settings that a saved state overrides."""

from __future__ import annotations

from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.settings import Network, Optimizer, Training
from musubi_nodes.families.training.fingerprint import TRAINING_FILE, TrainingFingerprint
from musubi_nodes.files import FileStamp
from musubi_nodes.runs.record.folder import RunFolder

KEPT = frozenset(Optimizer.model_fields) - {"max_grad_norm"} | {
    *("learning_rate", "network_type", "network_dim", "network_alpha", "network_args")
}
"""Restored by ``accelerator.load_state`` (accelerate 1.6, v0.3.4)."""


def check_kept(run: RunFolder, fingerprint: TrainingFingerprint) -> None:
    before = run.read_json(TRAINING_FILE).get("settings")
    if not isinstance(before, dict):
        raise MusubiError(
            "state-settings-unknown",
            f"resume: {run.path.name} has no record of its settings",
            why="A state restores the optimizer's learning rate and more, and this one's are not known.",
            fix="Take a state of another run, or begin a new training with what this one saved.",
        )
    now = {name: value for name, value in fingerprint.settings.items() if name in KEPT}
    found = [(name, str(before.get(name, _default(name))), value) for name, value in sorted(now.items())]
    if differing := [f"{name} {old[:80]}, not {new[:80]}" for name, old, new in found if old != new]:
        raise MusubiError(
            "state-settings-mismatch",
            f"resume: the state of {run.path.name} has {'; '.join(differing[:5])}",
            why="musubi-tuner continues with the optimizer, scheduler and weights of the state. Other settings would "
            "be ignored, or fail once everything is loaded.",
            fix="Restore them. To use other values, begin a new training with what this one saved.",
        )


def _default(name: str) -> str:
    """Return the default of a field that is newer than the state."""
    fields = Optimizer.model_fields | Training.model_fields | Network.model_fields
    return repr(fields[name].default) if name in fields else ""


def stamps_of_state(state: Path) -> str:
    """Return the stamps of a state's files, or ""."""
    try:
        return " ".join(f"{path.name} {FileStamp.lasting(path)}" for path in sorted(state.iterdir()) if path.is_file())
    except OSError:
        return ""
