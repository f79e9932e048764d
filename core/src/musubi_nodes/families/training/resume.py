"""Going on with a training from a state that it saved: which one, for how many steps, and with which learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musubi_nodes.errors import Crashed, MusubiError
from musubi_nodes.families.lora import only_numbers
from musubi_nodes.families.settings import Optimizer, Sampling, Training
from musubi_nodes.families.settings.schedules import kept, other_length
from musubi_nodes.files import cleaned_path, is_file, is_inside, write_json
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.states import State, go_on, is_whole, states

AUTO = "auto"
PLAN = "training.json"
"""Which training a run is of, whatever its length: ``key``, ``max_train_epochs`` and ``max_train_steps``."""


@dataclass(frozen=True)
class Resume:
    """``total`` are the steps of the whole training, ``run`` is the one that saved ``state``."""

    run: RunFolder
    state: State
    total: int

    def inputs(self, inputs: Any) -> Any:
        """The inputs for what is left: musubi-tuner counts from 0 again (training/trainer_base.py, v0.3.4)."""
        training = (inputs.training or Training()).model_copy(
            update={"max_train_epochs": None, "max_train_steps": self.total - self.state.step}
        )
        optimizer = kept(inputs.optimizer or Optimizer(), self.total, inputs.num_processes)
        return inputs.model_copy(update={"training": training, "optimizer": optimizer})

    def note(self, folder: RunFolder) -> None:
        """Say in the new run's folder where it goes on."""
        go_on(folder, self.state, self.run)

    def told(self) -> str:
        """One line for the user."""
        return f"goes on after step {self.state.step} of {self.total}, from the state of {self.run.path.name}"


def plan(folder: RunFolder, key: str, training: Training) -> None:
    """Note which training a run is of."""
    length = {"max_train_epochs": training.max_train_epochs, "max_train_steps": training.max_train_steps}
    write_json(folder.path / PLAN, {"key": key, **length})


def whatever_length(inputs: Any) -> Any:
    """The inputs without what two runs of one training may differ in: length, saving, logging, samples."""
    given, sampling = inputs.training or Training(), inputs.sampling or Sampling()
    training = Training().model_copy(update={name: getattr(given, name) for name in Training.SAME})
    samples = {n: f.default for n, f in Sampling.model_fields.items() if n == "prompts" or n.startswith("sample_")}
    plain = {"training": training, "sampling": sampling.model_copy(update=samples), "sample_image": None}
    return inputs.model_copy(update=plain)


def finishing(inputs: Any) -> Any:
    """The inputs as they name what a finished training is: with ``auto`` it is the same as without."""
    training = inputs.training or Training()
    named = "" if training.resume.strip() == AUTO else training.resume
    plain = {"crash_retries": 0, "accept_lr_change": False, "resume": named}
    return inputs.model_copy(update={"training": training.model_copy(update=plain)})


def told_to_go_on(error: Crashed, point: Resume | None) -> Crashed:
    """The error with the way to go on, where there is one."""
    if point is None:
        return error
    how = f"With resume set to auto in Training Config, queueing again goes on after step {point.state.step}."
    return Crashed(error.what, why=error.why, fix=f"{error.fix} {how}", log=error.log)


def with_auto(inputs: Any) -> Any:
    """The inputs with ``resume`` set to auto."""
    training = (inputs.training or Training()).model_copy(update={"resume": AUTO})
    return inputs.model_copy(update={"training": training, "train_again": False})


def resume_point(inputs: Any, key: str, output: Path) -> Resume | None:
    """Where the training goes on; ``None``: at its beginning.

    ``key`` names the training (see :data:`PLAN`). Raises a :class:`MusubiError` for a state that cannot be gone on
    from, and where another length changes the learning rate and nobody accepted that.
    """
    training = inputs.training or Training()
    named = training.resume.strip()
    if not named:
        return None
    found = _newest(training, key, output) if named == AUTO else _named(training, named, output)
    if found is not None and not training.accept_lr_change:
        _check_rate(found, training, inputs.optimizer or Optimizer())
    return found


def _newest(training: Training, key: str, output: Path) -> Resume | None:
    """The last whole state of the newest run of this training that has one before its end; none after a loss that was
    no number (NaN): that never comes back."""
    for run in run_folders(output):
        if run.read_json(PLAN).get("key") != key or run.status()["status"] == "running":
            continue
        usable = [found for found in _all(run, training) if found.state.step < found.total]
        for found in reversed(usable):
            if only_numbers(found.state.path / "model.safetensors"):
                return found
    return None


def _all(run: RunFolder, training: Training) -> Iterator[Resume]:
    return (Resume(run, state, training.steps(state.length.per_epoch)) for state in states(run))


def _named(training: Training, text: str, output: Path) -> Resume:
    path = output / cleaned_path(text)
    where = "Give a folder below the output folder, such as musubi/runs/.../out/my_lora-state, or auto."
    if not is_inside(path, [output]) or not is_file(path / "model.safetensors"):
        why = "A state is a folder that ends in -state and holds model.safetensors."
        raise MusubiError(f"resume: {text[:120]!r} is no saved state below {output}", why=why, fix=where)
    if not is_whole(path):
        why = "A file of it is missing or cut off: the training was ended while it was written."
        raise MusubiError(f"resume: the state {path.name} is not whole", why=why, fix="Take an earlier one, or auto.")
    run = RunFolder(path.resolve().parents[1])
    found = next((each for each in _all(run, training) if each.state.path.samefile(path)), None)
    if found is None:
        raise MusubiError(
            f"resume: {path} lies in no run folder",
            why="How many steps it has done is known from its run's log.",
            fix=where,
        )
    if found.state.step >= found.total:
        raise MusubiError(
            f"resume: the state has done {found.state.step} steps, and the training has {found.total}",
            why="max_train_epochs and max_train_steps are those of the whole training.",
            fix="Raise them in Training Config to train longer.",
        )
    return found


def _check_rate(found: Resume, training: Training, optimizer: Optimizer) -> None:
    planned = found.run.read_json(PLAN)
    epochs, steps = planned.get("max_train_epochs"), planned.get("max_train_steps")
    before = epochs * found.state.length.per_epoch if epochs else steps
    if not before:
        return
    change = other_length(optimizer, training.learning_rate, found.state.step, before, found.total)
    if change:
        raise MusubiError(
            f"the training was begun with {before} steps and would go on with {found.total}",
            why=f"The learning rate would not be that of one training. {change}",
            fix="Switch accept_lr_change on in Training Config, or keep the length. A constant rate does not care.",
        )
