"""Compares a generation's frames, size and brightness with the request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.cut import ClipSpec
from musubi_nodes.media.frames import ImageFiles, VideoFile, check_video
from musubi_nodes.media.probe import probe

BLACK = 2
"""Of 255: NaN becomes 0, and an encoder adds little to that."""

LOOKED_AT = 8
"""Frames to check in a video that begins black."""


@dataclass(frozen=True)
class Expected:
    """Request; ``None`` if unknown, as for a latent."""

    frames: int | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Appearance:
    """Result; ``brightest`` pixel from 0 to 255."""

    frames: int
    size: tuple[int, int]
    brightest: int

    @classmethod
    def of_video(cls, path: Path) -> Appearance:
        check_video(path)
        facts = probe(path)
        looks = (ClipSpec(length=1), ClipSpec(every=max(facts.frames // LOOKED_AT, 1)))
        lit = (round(float(VideoFile(path, cut).frames().max()) * 255) for cut in looks)
        brightest = next((value for value in lit if value > BLACK), 0)
        return cls(facts.frames, (facts.width, facts.height), brightest)

    @classmethod
    def of_images(cls, paths: tuple[Path, ...]) -> Appearance:
        """Return the last differing size, if sizes differ."""
        sizes, brightest = dict[tuple[int, int], None](), 0
        for picture in ImageFiles(paths).pictures():
            sizes[picture.shape[1], picture.shape[0]] = None
            brightest = max(brightest, int(picture.max()))
        return cls(len(paths), list(sizes)[-1], brightest)

    def check(self, asked: Expected, log: Path) -> None:
        """Raise a MusubiError if it is not as requested."""
        if asked.frames is not None and asked.frames != self.frames:
            raise MusubiError(
                "output-frames-wrong",
                f"musubi-tuner ended without an error, but made {self.frames} of {asked.frames} frames",
                fix="The log's last lines say more.",
                log=log,
            )
        if asked.size is not None and asked.size != self.size:
            made, wanted = (f"{width} x {height}" for width, height in (self.size, asked.size))
            raise MusubiError(
                "output-size-wrong",
                f"musubi-tuner ended without an error, but made {made} pixels instead of {wanted}",
                fix="The log's last lines say more.",
                log=log,
            )
        if self.brightest <= BLACK:
            raise MusubiError(
                "output-black",
                "musubi-tuner ended without an error, but every pixel that it made is black",
                why="A model, LoRA or setting produced numbers too large for its precision.",
                fix="Try without LoRAs, with another fp8 setting in the Memory Optimizer, or another attention.",
                log=log,
            )
