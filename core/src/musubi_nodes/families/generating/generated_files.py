"""The files of one generation: found, checked, published, shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.generating.appearance import Appearance, Expected
from musubi_nodes.families.numbers_of import check_numbers
from musubi_nodes.files import publish
from musubi_nodes.i18n import translate
from musubi_nodes.media.frames import ImageFiles, VideoFile
from musubi_nodes.runs.record.folder import RunFolder
from musubi_nodes.weights import read_header

IMAGES = (".png", ".jpg", ".jpeg", ".webp")
LATENT = "_latent.safetensors"


@dataclass(frozen=True)
class GeneratedFiles:
    """Files of one prompt."""

    video: Path | None
    images: tuple[Path, ...]
    latent: Path | None

    @classmethod
    def of(cls, files: Iterable[Path]) -> GeneratedFiles:
        """Sort files by type, keeping their order."""
        found = tuple(files)
        return cls(
            next((p for p in found if p.suffix == ".mp4"), None),
            tuple(p for p in found if p.suffix.lower() in IMAGES),
            next((p for p in found if p.suffix == ".safetensors"), None),
        )

    @classmethod
    def collect(cls, folder: RunFolder, output_type: str, asked: Expected) -> GeneratedFiles:
        """Return a run's checked files."""
        made = cls.of(files_in_order(folder.out))
        made.check(folder, output_type, asked)
        return made

    def check(self, folder: RunFolder, output_type: str, asked: Expected) -> None:
        """Raise a MusubiError if files of ``output_type`` are missing, damaged or not as ``asked``."""
        shown = self.video or self.images
        promised = {
            "video": shown,
            "images": self.images,
            "latent": self.latent,
            "both": self.latent and shown,
            "latent_images": self.latent,
        }
        if not promised[output_type]:
            raise MusubiError(
                "output-missing",
                f"musubi-tuner ended without an error, but wrote no {output_type}",
                fix="The log's last lines say more.",
                log=folder.log,
            )
        try:
            shapes = list(self._shapes())
        except MusubiError as error:
            raise MusubiError(
                "output-damaged",
                "musubi-tuner ended without an error, but what it wrote is damaged",
                why=error.what,
                fix="Check the disk's free space, then queue the node again.",
                log=folder.log,
            ) from error
        if self.latent:
            check_numbers(self.latent, "made latent", folder.log)
        for shape in shapes:
            shape.check(asked, folder.log)

    def _shapes(self) -> Iterator[Appearance]:
        """Read enough of each file to notice truncation."""
        if self.video:
            yield Appearance.of_video(self.video)
        if self.images:
            yield Appearance.of_images(self.images)
        if self.latent:
            read_header(self.latent)

    def is_good(self, folder: RunFolder, output_type: str, asked: Expected) -> bool:
        try:
            self.check(folder, output_type, asked)
        except MusubiError:
            return False
        return True

    def published(self, output: Path, prefix: str) -> GeneratedFiles:
        """Move the files to ``<output>/musubi`` under unused names."""
        target = output / "musubi"
        video = _moved(self.video, target, f"{prefix}.mp4") if self.video else None
        images = tuple(_moved(p, target, f"{prefix}{p.suffix}") for p in self.images)
        latent = _moved(self.latent, target, f"{prefix}{LATENT}") if self.latent else None
        return GeneratedFiles(video, images, latent)

    def files(self) -> tuple[Path, ...]:
        return tuple(p for p in (self.video, *self.images, self.latent) if p)

    def shown(self) -> tuple[Path, ...]:
        """Return what the node previews."""
        return (self.video,) if self.video else self.images[:16]

    def told(self, output: Path) -> str:
        """Return the files' names as text."""
        names = [p.relative_to(output).as_posix() for p in (self.video, *self.images[:1], self.latent) if p]
        if len(self.images) > 1:
            names.append(translate("{count} more", count=len(self.images) - 1))
        return ", ".join(names)

    def frames(self) -> Any:
        """Return all frames, read on demand."""
        if self.images:
            return ImageFiles(self.images)
        return VideoFile(self.video) if self.video else None


def files_in_order(folder: Path) -> list[Path]:
    """Return all files below ``folder`` by name; ``layer10`` comes after ``layer9``."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(found, key=lambda path: re.sub(r"\d+", lambda digits: digits[0].zfill(20), path.as_posix()))


def _moved(source: Path, folder: Path, name: str) -> Path:
    return publish(source, folder, name, move=True)
