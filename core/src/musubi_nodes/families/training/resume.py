"""Resuming a training: state, steps and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.family import Family
from musubi_nodes.families.numbers_of import check_numbers, is_finite
from musubi_nodes.families.product import Product
from musubi_nodes.families.settings import Optimizer, Training
from musubi_nodes.families.settings.schedules import length_change, resumed_schedule
from musubi_nodes.families.training.epochs import epoch_facts, steps_of_epoch
from musubi_nodes.families.training.fingerprint import AUTO, TRAINING_FILE, TrainingFingerprint, explain_no_state
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.kept_by_state import check_kept, stamps_of_state
from musubi_nodes.files import cleaned_path, is_file, is_inside
from musubi_nodes.i18n import translate
from musubi_nodes.log import log
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.states import State, go_on, is_whole, needed_files, states


@dataclass(frozen=True)
class Resume:
    """A state to resume from; ``total`` steps in the whole training."""

    run: RunFolder
    state: State
    total: int

    def inputs(self, inputs: TrainerInputs) -> TrainerInputs:
        """Return inputs for the remaining steps: v0.3.4 counts from 0."""
        training = (inputs.training or Training()).model_copy(
            update={"max_train_epochs": None, "max_train_steps": self.total - self.state.step}
        )
        optimizer = resumed_schedule(inputs.optimizer or Optimizer(), self.total, inputs.num_processes)
        return inputs.model_copy(update={"training": training, "optimizer": optimizer})

    def record(self, folder: RunFolder) -> None:
        go_on(folder, self.state, self.run)

    def summary(self) -> str:
        return translate(
            "resumes after step {step} of {total}, from the state of {run}",
            step=self.state.step,
            total=self.total,
            run=self.run.path.name,
        )


def resume_point(
    inputs: TrainerInputs, fingerprint: TrainingFingerprint, context: Context, family: Family, product: Product
) -> Resume | None:
    """Return the state to resume from, ``None`` to begin at step 0.

    Raises for unusable states, and for a changed learning rate unless accepted.
    """
    training = inputs.training or Training()
    named = training.resume.strip()
    if not named:
        return None
    if inputs.train_again and named == AUTO:
        context.show(text=translate("train_again begins at step 0; resume auto is ignored"))
        return None
    found = _newest(fingerprint, training, context) if named == AUTO else _named(inputs, named, context, family)
    if found is not None:
        if named != AUTO:
            check_kept(found.run, fingerprint)
        product.fits(found.state.path / "model.safetensors", Path(inputs.models.main_dit))
        if not training.accept_lr_change:
            _check_rate(found, training, inputs.optimizer or Optimizer())
    return found


def named_state_stamps(training: Training, context: Context) -> str:
    named = training.resume.strip()
    if named in ("", AUTO):
        return ""
    path = named_state(named, context)
    return f"{named} {stamps_of_state(path) if is_inside(path, [context.host.output_folder]) else ''}"


def _newest(fingerprint: TrainingFingerprint, training: Training, context: Context) -> Resume | None:
    def waiting() -> None:
        context.progress(Progress("checking whether an earlier run is still active elsewhere"))
        context.raise_if_interrupted()

    output = context.host.output_folder
    found = newest_state(run_folders(output), fingerprint.key, training, waiting)
    if found is None and (told := explain_no_state(fingerprint, run_folders(output))):
        context.show(text=told)
        log.info("no state of %s is there to go on from", fingerprint.output_name)
    return found


def newest_state(runs: Iterable[RunFolder], key: str, training: Training, waiting: Callable[[], None]) -> Resume | None:
    """Return the last complete, finite state of the newest ended run."""
    for run in runs:
        if run.read_json(TRAINING_FILE).get("key") != key:
            continue
        every = (Resume(run, state, training.steps(state.length.per_epoch)) for state in states(run))
        usable = [found for found in every if found.state.step < found.total]
        if usable and run.has_ended(waiting):
            for found in reversed(usable):
                if is_finite(found.state.path / "model.safetensors"):
                    return found
    return None


def named_state(text: str, context: Context) -> Path:
    return context.host.output_folder / cleaned_path(text)


def _named(inputs: TrainerInputs, text: str, context: Context, family: Family) -> Resume:
    output, path = context.host.output_folder, named_state(text, context)
    where = "Give a folder below the output folder, such as musubi/runs/.../out/my_lora-state, or auto."
    if not is_inside(path, [output]) or not is_file(path / "model.safetensors"):
        why = "A state is a folder that ends in -state and holds model.safetensors."
        raise MusubiError(
            "state-missing", f"resume: {text[:120]!r} is no saved state below {output}", why=why, fix=where
        )
    run = RunFolder(path.resolve().parents[1])
    if not is_whole(path, needed_files(run)):
        why = "One of its files is missing or truncated: the training ended while it was written."
        raise MusubiError(
            "state-incomplete",
            f"resume: the state {path.name} is not whole",
            why=why,
            fix="Take an earlier one, or auto.",
        )
    state = next((each for each in states(run) if each.path.samefile(path)), None)
    if state is None:
        raise MusubiError(
            "state-outside-run",
            f"resume: {path} lies in no run folder",
            why="The number of its steps is known from its run's log.",
            fix=where,
        )
    check_numbers(path / "model.safetensors", "state")
    training = inputs.training or Training()
    found = Resume(run, state, training.steps(_steps_of_epoch(run, state, inputs, family)))
    if state.step >= found.total:
        raise MusubiError(
            "training-already-done",
            f"resume: the state has done {state.step} steps, and the training has {found.total}",
            why="max_train_epochs and max_train_steps apply to the whole training.",
            fix="Raise them in Training Config to train longer.",
        )
    return found


def _steps_of_epoch(run: RunFolder, state: State, inputs: TrainerInputs, family: Family) -> int:
    """Return the run's steps per epoch, counted again if they changed."""
    if (
        run.read_json(TRAINING_FILE).get("epoch") == epoch_facts(inputs)
        or not (inputs.training or Training()).max_train_epochs
    ):
        return state.length.per_epoch
    if (counted := steps_of_epoch(inputs, family)) is None:
        raise MusubiError(
            "steps-unknown",
            "resume: how many steps an epoch has now cannot be counted",
            why="The dataset differs from that of the state, and one of its files cannot be read, or its controls "
            "have sizes of their own.",
            fix="Set max_train_epochs to 0 and max_train_steps to the steps of the whole training.",
        )
    return counted


def _check_rate(found: Resume, training: Training, optimizer: Optimizer) -> None:
    planned = found.run.read_json(TRAINING_FILE)
    epochs, steps = planned.get("max_train_epochs"), planned.get("max_train_steps")
    before = epochs * found.state.length.per_epoch if epochs else steps
    if not before:
        return
    change = length_change(optimizer, training.learning_rate, found.state.step, before, found.total)
    if change:
        raise MusubiError(
            "learning-rate-changed",
            f"the training was begun with {before} steps and would go on with {found.total}",
            why=translate(
                "The learning rate would differ from that of one continuous training. {change}", change=change
            ),
            fix="Turn on accept_lr_change in Training Config, or keep the length. A constant rate is not affected.",
        )
