"""Check of frame counts."""

from __future__ import annotations

from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.errors import MusubiError
from musubi_nodes.i18n import translate


def check_frames(rule: FrameRule, frames: int, complaint: str) -> None:
    if not rule.fits(frames):
        raise MusubiError(
            "frames-not-allowed",
            f"{complaint}: it takes {rule.explain()}",
            why="musubi-tuner would silently round down, or make no sample.",
            fix=translate("Use {frames}.", frames=rule.round_down(frames) or rule.shortest),
        )
