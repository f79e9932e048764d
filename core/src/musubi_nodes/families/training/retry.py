"""Retries after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field

from musubi_nodes.errors import Crashed, EndedFromOutside
from musubi_nodes.families.settings import Training
from musubi_nodes.families.training.fingerprint import AUTO
from musubi_nodes.families.training.resume import Resume, newest_state
from musubi_nodes.i18n import translate
from musubi_nodes.runs.record.folder import RunFolder


@dataclass
class RetryState:
    """One execution of a trainer with its retries."""

    crashes_left: int
    runs: list[RunFolder] = field(default_factory=list)
    key: str = ""
    begun: Resume | None = None

    def begin(self, run: RunFolder, begun: Resume | None) -> None:
        self.runs.append(run)
        self.begun = begun

    def resumable_checkpoint(self, training: Training) -> Resume | None:
        """Return the newest state saved by these ``runs``."""
        return newest_state(reversed(self.runs), self.key, training, waiting=lambda: None)

    def may_retry(self, error: Crashed, training: Training) -> bool:
        """Whether there is a state and no external kill; count the retry."""
        if isinstance(error, EndedFromOutside) or not self.crashes_left:
            return False
        if not self.begun and not self.resumable_checkpoint(training):
            return False
        self.crashes_left -= 1
        return True

    def explain(self, error: Crashed, training: Training) -> Crashed:
        point = self.resumable_checkpoint(training)
        if point is None:
            return error
        how = "With resume set to auto in Training Config, queueing again resumes after step {step}."
        if training.resume.strip() == AUTO:
            how = "Queueing again resumes after step {step}."
        fix = f"{translate(error.fix)} {translate(how, step=point.state.step)}"
        return error.replace(fix=fix)
