"""Warns about long silence of a script."""

from __future__ import annotations

import time
from pathlib import Path

from musubi_nodes.log import log

WARN_AFTER = 600.0  # loading 28 GB, or steps with many swapped blocks, take minutes

AGAIN_AFTER = 30.0  # seconds between updates of the node's text


class StallDetector:
    def __init__(self, script: str, log_file: Path) -> None:
        self._script, self._log_file = script, log_file
        self._last_output = self._shown = time.monotonic()
        self._warned = False

    def heard(self) -> bool:
        """Note output; return whether a silence was shown."""
        self._last_output = self._shown = time.monotonic()
        ended, self._warned = self._warned, False
        return ended

    def look(self) -> float | None:
        """Return the seconds of silence when due."""
        now = time.monotonic()
        if now - self._last_output < WARN_AFTER or (self._warned and now - self._shown < AGAIN_AFTER):
            return None
        if not self._warned:
            log.warning(
                "%s has printed nothing for %d minutes. It is left alone: it may be loading, or a step may be slow. "
                "If it stands still, cancel it and look into %s",
                self._script, WARN_AFTER // 60, self._log_file,
            )  # fmt: skip
        self._warned, self._shown = True, now
        return now - self._last_output
