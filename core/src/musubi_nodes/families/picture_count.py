"""Number of first or control pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from musubi_nodes.errors import MusubiError
from musubi_nodes.media.frames import Frames, count_pictures


@dataclass(frozen=True)
class PictureCount:
    """``least`` to ``most`` pictures, or without limit."""

    least: int = 0
    most: int | None = None

    def fits(self, count: int) -> bool:
        return self.least <= count and (self.most is None or count <= self.most)

    def explain(self) -> str:
        """Describe it, such as ``exactly 1``."""
        if self.most is None:
            return f"at least {self.least}"
        return {0: "none", self.least: f"exactly {self.least}"}.get(self.most, f"at most {self.most}")


NO_PICTURES = PictureCount(0, 0)
ONE_OR_MORE = PictureCount(1)


class PictureKind(NamedTuple):
    name: str
    missing: str
    unexpected: str


PICTURE_KINDS = {
    "image": PictureKind("first picture", "start-image-missing", "start-image-unexpected"),
    "control_image": PictureKind("control picture", "control-image-missing", "control-image-unexpected"),
}


def check_pictures(field: str, pictures: Frames, takes: PictureCount, who: str) -> None:
    count, kind = 0 if pictures is None else count_pictures(pictures), PICTURE_KINDS[field]
    if takes.fits(count):
        return
    few = count < takes.least
    raise MusubiError(
        kind.missing if few else kind.unexpected,
        f"{who} takes {takes.explain()} as {kind.name}, not {count}",
        why="musubi-tuner would leave out what does not fit, or fail after loading its models." if not few else "",
        fix="Connect pictures of that number to the Prompt node or to the node that takes the prompt.",
    )
