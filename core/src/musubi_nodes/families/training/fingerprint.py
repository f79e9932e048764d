"""Identity of a training, independent of its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from musubi_nodes.families.fields import Settings
from musubi_nodes.families.plan import Plan
from musubi_nodes.families.result_key import counted
from musubi_nodes.families.settings import Sampling, Training
from musubi_nodes.families.sockets import Cache
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.sample_prompts import sample_fields
from musubi_nodes.files import write_json
from musubi_nodes.i18n import translate
from musubi_nodes.runs.record.folder import RunFolder

AUTO = "auto"
TRAINING_FILE = "training.json"
"""File with a run's :class:`TrainingFingerprint` and length."""

MOST_NAMED = 5


@dataclass(frozen=True)
class TrainingFingerprint:
    """Identity of a training.

    ``key`` identifies it; the other fields explain differences. ``program`` is the state of the script's code.
    """

    key: str
    output_name: str
    program: str
    dataset: str
    settings: Mapping[str, str]


def fingerprint_of(plan: Plan) -> TrainingFingerprint:
    inputs = plan.inputs
    dataset = inputs.latent_cache.dataset.fingerprint
    return TrainingFingerprint(plan.key(), inputs.output_name, plan.program, dataset, dict(_settings(inputs)))


def _settings(inputs: TrainerInputs) -> Iterator[tuple[str, str]]:
    yield from (
        (field, repr(each)) for _, value in inputs if isinstance(value, Settings) for field, each in counted(value)
    )
    for name, value in counted(inputs):
        if isinstance(value, BaseModel) and not isinstance(value, Cache | Settings):
            yield from ((f"{name}.{field}", repr(each)) for field, each in counted(value))
        elif value is None or isinstance(value, str | int | float):
            yield name, repr(value)


def record_training(
    folder: RunFolder, fingerprint: TrainingFingerprint, training: Training, epoch: Mapping[str, Any]
) -> None:
    length = {"max_train_epochs": training.max_train_epochs, "max_train_steps": training.max_train_steps}
    write_json(folder.path / TRAINING_FILE, {**asdict(fingerprint), **length, "epoch": epoch})


def without_length(inputs: TrainerInputs) -> Any:
    """Reset what may differ in a resumed training."""
    given, sampling = inputs.training or Training(), inputs.sampling or Sampling()
    training = Training().model_copy(update={name: getattr(given, name) for name in Training.SAME})
    samples = {n: f.default for n, f in Sampling.model_fields.items() if n == "prompts" or n.startswith("sample_")}
    pictures = dict.fromkeys(sample_fields(type(inputs)).values())
    plain = {"training": training, "sampling": sampling.model_copy(update=samples), **pictures}
    return inputs.model_copy(update=plain)


def explain_no_state(fingerprint: TrainingFingerprint, runs: Iterable[RunFolder]) -> str:
    """Explain why ``auto`` found no state, if the name was used before."""
    for run in runs:
        plan = run.read_json(TRAINING_FILE)
        if plan.get("output_name") == fingerprint.output_name:
            told = _differences(fingerprint, plan) or translate("it has no complete state, or is still running")
            sentence = "resume auto begins at step 0; the newest run of that name, {run}: {told}"
            return translate(sentence, run=run.path.name, told=told)
    return ""


def _differences(fingerprint: TrainingFingerprint, plan: Mapping[str, Any]) -> str:
    if plan.get("key") == fingerprint.key:
        return ""
    before = dict(plan.get("settings") or {})
    found = sorted(name for name, value in fingerprint.settings.items() if before.get(name) != value)
    if len(found) > MOST_NAMED:
        found = [*found[:MOST_NAMED], translate("{count} more settings", count=len(found) - MOST_NAMED)]
    if plan.get("dataset") != fingerprint.dataset:
        found.append(translate("the dataset"))
    if plan.get("program") != fingerprint.program:
        found.append("musubi-tuner")
    differing = ", ".join(found) or translate("a model or cache file")
    return translate("another training, with a different: {names}", names=differing)
