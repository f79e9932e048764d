"""What a node may use while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from musubi_nodes.config import Config
from musubi_nodes.datasets.scan.scan_cache import RecentScan
from musubi_nodes.errors import printable
from musubi_nodes.families.family import Family
from musubi_nodes.families.recognition.kinds import WeightsKind
from musubi_nodes.runs.explain import Explainer
from musubi_nodes.runs.install import Install
from musubi_nodes.runs.process.executor import Executor
from musubi_nodes.runs.record.progress import Progress

LONGEST_TEXT = 100_000


class Host(Protocol):
    """Where nodes run: ComfyUI or a terminal."""

    @property
    def output_folder(self) -> Path:
        """Folder of all results."""

    @property
    def trusted(self) -> bool:
        """Whether workflows come from this machine's user."""

    @property
    def preview_folder(self) -> Path | None:
        """Folder for temporary previews; ``None`` without a page."""

    def model_folders(self, kind: str) -> Sequence[Path]:
        """Return folders: diffusion_models, vae, text_encoders, ..."""

    def input_folder(self) -> Path:
        """Return the folder for uploads."""

    def progress(self, node_id: str, now: Progress) -> None:
        """Show the node's progress."""

    def raise_if_interrupted(self) -> None:
        """Raise the host's exception if the user cancelled."""

    def release_models(self) -> None:
        """Free the host's GPU memory."""


class Services(Protocol):
    """Configuration and plugins."""

    config: Config
    recent_scan: RecentScan

    @property
    def families(self) -> Sequence[Family]:
        """All loaded families."""

    @property
    def weights_kinds(self) -> Sequence[WeightsKind]:
        """All known kinds of weights files."""

    def install(self, name: str | None = None) -> Install:
        """Return the named or default install, or raise a MusubiError."""

    def executor(self) -> Executor:
        """Return the configured executor."""

    def explainers(self, family: str) -> Sequence[Explainer]:
        """Return error explainers, the family's own first."""


@dataclass
class Context:
    """One execution of one node.

    ``linked``: used outputs, if known. ``workflow``: metadata for files. ``queued``: ids of the ``prompt`` and its
    ``workflow``. ``preflight``: nothing runs yet, and the host waits.
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
    preflight: bool = False
    interrupt: BaseException | None = None

    def progress(self, now: Progress) -> None:
        self.host.progress(self.node_id, now)

    def raise_if_interrupted(self) -> None:
        try:
            self.host.raise_if_interrupted()
        except BaseException as error:
            self.interrupt = error
            raise

    def wanted(self, output: str) -> bool:
        return self.linked is None or output in self.linked

    def track_output(self, *files: Path, complete: bool = True) -> None:
        """Register output files; the node re-runs if one is missing later."""
        self.files += files
        self.complete = self.complete and complete

    def track_state(self, look: Callable[[], str], state: str) -> None:
        """Register many files by a function that describes them."""
        self.states.append((look, state))

    def show(self, *pictures: Path, text: str = "") -> None:
        self.pictures += pictures
        if text:
            self.texts.append(printable(text, LONGEST_TEXT))
