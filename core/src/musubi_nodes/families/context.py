"""What a node may use while it runs: the host it runs in, and the services that plugins and configuration provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from musubi_nodes.config import Config
from musubi_nodes.datasets.scan_cache import RecentScan
from musubi_nodes.errors import printable
from musubi_nodes.families.family import Family
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.runs.explain import Explainer
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.executor import Executor
from musubi_nodes.runs.record.progress import Progress

LONGEST_TEXT = 100_000
"""Characters that a node shows."""


class Host(Protocol):
    """Where nodes run: ComfyUI or a terminal."""

    @property
    def output_folder(self) -> Path:
        """Where everything is written."""

    @property
    def trusted(self) -> bool:
        """Whether whoever queues a workflow sits at this machine (a terminal, or ComfyUI on loopback)."""

    @property
    def preview_folder(self) -> Path | None:
        """Where previews are written that live as long as the host; ``None`` where nobody would see them."""

    def model_folders(self, kind: str) -> Sequence[Path]:
        """Folders of model files: diffusion_models, vae, text_encoders, clip_vision, loras."""

    def input_folder(self) -> Path:
        """Where users upload files."""

    def progress(self, node_id: str, now: Progress) -> None:
        """Show how far the node is."""

    def raise_if_interrupted(self) -> None:
        """Raise the host's own interrupt exception if the user cancelled."""

    def release_models(self) -> None:
        """Free the GPU memory that the host itself holds."""


class Services(Protocol):
    """What configuration and plugins provide."""

    config: Config
    recent_scan: RecentScan

    @property
    def families(self) -> Sequence[Family]:
        """All loaded families."""

    @property
    def weights_kinds(self) -> Sequence[WeightsKind]:
        """All kinds of weights files that are known."""

    def install(self, name: str | None = None) -> Install:
        """The chosen install; a :class:`MusubiError` that says what to do where there is none."""

    def executor(self) -> Executor:
        """The configured executor."""

    def explainers(self, family: str) -> Sequence[Explainer]:
        """Who may explain a failed run, the script's own family first."""


@dataclass
class Context:
    """One execution of one node.

    ``linked`` are the outputs that somebody uses (``None``: not known, so all). ``workflow`` is what goes into the
    metadata of files, as ComfyUI writes it: ``prompt`` and ``workflow``; empty where that is switched off. ``queued``
    are the ids of the queued ``prompt`` and of its ``workflow``, as far as the host knows them. ``preflight``: nothing
    runs yet, and the host's own thread waits for the answer.
    """

    host: Host
    services: Services
    node_id: str = "node"
    linked: frozenset[str] | None = None
    workflow: Mapping[str, Any] = field(default_factory=dict)
    queued: Mapping[str, str] = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    states: list[tuple[Callable[[], str], str]] = field(default_factory=list)
    complete: bool = True
    failed: int = 0
    """How many of several things that it was to make failed, where the others were made and handed on."""
    preflight: bool = False
    interrupt: BaseException | None = None
    """What the host has raised because the user cancelled."""

    def progress(self, now: Progress) -> None:
        """Show how far this node is."""
        self.host.progress(self.node_id, now)

    def raise_if_interrupted(self) -> None:
        """Raise the host's interrupt exception if the user cancelled."""
        try:
            self.host.raise_if_interrupted()
        except BaseException as error:
            self.interrupt = error
            raise

    def wanted(self, output: str) -> bool:
        """Whether somebody uses the output, so that making it is worth the memory."""
        return self.linked is None or output in self.linked

    def track_output(self, *files: Path, complete: bool = True) -> None:
        """What the outputs stand for on disk: where it is gone later, or not complete, the node must run again."""
        self.files += files
        self.complete = self.complete and complete

    def track_state(self, look: Callable[[], str], state: str) -> None:
        """The same for very many files: ``look`` tells their ``state``; where it is another later, the node must run
        again."""
        self.states.append((look, state))

    def show(self, *pictures: Path, text: str = "") -> None:
        """Show files of the output or preview folder, or a text, in the node."""
        self.pictures += pictures
        if text:
            self.texts.append(printable(text, LONGEST_TEXT))
