"""What a training made: found again, published, remembered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.context import Context
from musubi_nodes.families.result_store import ResultStore
from musubi_nodes.families.settings import Training
from musubi_nodes.families.sockets import Run
from musubi_nodes.families.training.inputs import TrainerInputs
from musubi_nodes.families.training.old_states import remove_old_states
from musubi_nodes.files import write_json
from musubi_nodes.i18n import translate
from musubi_nodes.runs.record.folder import RunFolder, run_folders
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.runs.record.states import true_name

if TYPE_CHECKING:
    from musubi_nodes.families.training.trainer import Trainer

FINISHED = "finished.json"
"""File with the ``key``, written between check and publishing."""


@dataclass(frozen=True)
class Results:
    """The results of the training with this ``key``."""

    trainer: Trainer
    inputs: TrainerInputs
    context: Context
    key: str

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.context.host.output_folder, "trained")

    @property
    def training(self) -> Training:
        return self.inputs.training or Training()

    def find(self) -> BaseModel | None:
        """Return the outputs of the same training, if its file is valid."""
        if before := self.store.find(self.key):
            return self._before(before[0])
        if (run := self._unpublished()) is None:
            return None
        with run.ending(script=self.trainer.script):
            run.write_end("done", script=self.trainer.script)
            return self.complete(run)

    def note_finished(self, run: RunFolder) -> None:
        with suppress(OSError):
            write_json(run.path / FINISHED, {"key": self.key})

    def _unpublished(self) -> RunFolder | None:
        """Return the newest finished run with a valid file to publish."""
        for run in run_folders(self.context.host.output_folder):
            if run.read_json(FINISHED).get("key") == self.key and not run.status().get("made"):
                with suppress(MusubiError):
                    self.check(run.out / self.inputs.file_name, run)
                    return run
        return None

    def check(self, made: Path, run: RunFolder) -> None:
        """Raise unless ``made`` is valid and fits the DiT."""
        product = self.trainer.product
        product.check(made, run.log)
        product.fits(made, Path(self.inputs.models.main_dit))

    def complete(self, run: RunFolder, last: Progress | None = None) -> BaseModel:
        """Publish the final file; ``last`` is ``None`` for an earlier run."""
        path = self._publish(run, run.out / self.inputs.file_name, last)
        self.store.keep(self.key, [path], run.path)
        remove_old_states(run, self.training)
        return self._outputs(path, run.path)

    def publish_early(self, run: RunFolder, checkpoint: Path, last: Progress) -> BaseModel:
        """Publish the checkpoint of a training that was stopped."""
        path = self._publish(run, checkpoint, last, complete=False)
        if not self.training.save_state:
            self.context.show(text=translate("save_state is off: this training cannot be resumed from here"))
        return self._outputs(path, run.path, complete=False)

    def _before(self, path: Path) -> BaseModel:
        self.context.track_output(path)
        text = translate("already trained: {file}; train_again trains it again", file=f"musubi/{path.name}")
        self.context.show(text=text)
        return self._outputs(path, self.store.run_of(self.key))

    def _publish(self, run: RunFolder, made: Path, last: Progress | None, *, complete: bool = True) -> Path:
        name = true_name(run, made)
        path = self.trainer.product.publish(self.context, made, name, complete)
        run.note_made(f"musubi/{path.name}")
        self.context.show(text=_summary(name, path, last, complete))
        return path

    def _outputs(self, path: Path, run: Path, *, complete: bool = True) -> BaseModel:
        return self.trainer.Outputs(**self.trainer.outputs_of(self.inputs, path, complete), run=Run(folder=run))


def _summary(name: str, path: Path, last: Progress | None, complete: bool) -> str:
    file = f"musubi/{path.name}"
    if last is None:
        return translate("trained earlier, published now: {file}", file=file)
    lines = []
    if not complete and last.stage == "training":
        lines.append(translate("stopped early, after step {step} of {total}", step=last.current, total=last.total))
    elif not complete:
        lines.append(translate("stopped early"))
    lines.append(translate("saved as {file}", file=file))
    if path.name != name:
        lines.append(translate("{name} already existed", name=name))
    if last.loss is not None:
        lines.append(f"loss {last.loss:.4g}")
    return " · ".join(lines)
