"""Terminal host: progress bars and configured model folders."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from musubi_nodes.config import Config
from musubi_nodes.files import cleaned_path
from musubi_nodes.hosts.terminal.output import Output
from musubi_nodes.runs.record.progress import Progress

if TYPE_CHECKING:
    from tqdm import tqdm

COMFYUI_FOLDERS = {
    "diffusion_models": ("diffusion_models", "unet"),
    "text_encoders": ("text_encoders", "clip"),
    "vae": ("vae",),
    "clip_vision": ("clip_vision",),
    "loras": ("loras",),
}
"""Kind -> folders below ComfyUI's models/."""

PLAIN_SECONDS = 5.0


class TerminalHost:
    trusted = True
    preview_folder: Path | None = None

    def __init__(self, output: Path, config: Config, stream: TextIO | None = None) -> None:
        self.output_folder = output.absolute()
        self._config = config
        self._bars = Bars(stream or sys.stderr)

    def model_folders(self, kind: str) -> Sequence[Path]:
        """Return configured folders, ComfyUI's, then the output's."""
        folders = [cleaned_path(text) for text in self._config.models.get(kind, [])]
        if self._config.comfyui:
            models = cleaned_path(self._config.comfyui) / "models"
            folders += [models / name for name in COMFYUI_FOLDERS.get(kind, (kind,))]
        return [*folders, self.output_folder / "models" / kind]

    def input_folder(self) -> Path:
        return cleaned_path(self._config.comfyui) / "input" if self._config.comfyui else Path.cwd()

    def progress(self, node_id: str, now: Progress) -> None:
        self._bars.show(node_id, now)

    def raise_if_interrupted(self) -> None:
        """Do nothing: signals raise KeyboardInterrupt."""

    def release_models(self) -> None:
        """Do nothing: no models are loaded."""

    def end_bar(self) -> None:
        self._bars.end()


def _has_room(stream: TextIO) -> bool:
    """Whether it is a terminal with columns."""
    with contextlib.suppress(OSError, ValueError):
        return stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
    return False


class Bars:
    """One progress bar at a time, or plain lines without a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._interactive = _has_room(stream)
        self._bar: tqdm[NoReturn] | None = None
        self._last, self._told = 0.0, set[str]()

    def show(self, title: str, now: Progress) -> None:
        """Draw progress, unless the output is behind."""
        if isinstance(self._stream, Output) and self._stream.behind:
            return
        if not self._interactive:
            self._plain(title, now)
            return
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(total=100, bar_format="{desc} {bar:24} {postfix}", file=self._stream, leave=True)
        self._bar.set_description_str(title, refresh=False)
        self._bar.n = round(100 * (now.fraction or 0))
        self._bar.set_postfix_str(now.text())

    def end(self) -> None:
        self._told.clear()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _plain(self, title: str, now: Progress) -> None:
        if now.stage in self._told and time.monotonic() - self._last < PLAIN_SECONDS:
            return
        self._told.add(now.stage)
        self._last = time.monotonic()
        print(f"{title}: {now.text()}", file=self._stream, flush=True)
