"""Notices that a script has printed nothing for a long time. It is only told: a run is never ended for it."""

from __future__ import annotations

import time
from pathlib import Path

from musubi_nodes.log import log

WARN_AFTER = 600.0
"""Seconds. Weights of 28 GB from a slow disk, or a step with many swapped blocks, are silent for minutes."""

AGAIN_AFTER = 30.0
"""Seconds between two times that a node shows how long it has been."""


class StallDetector:
    """How long ``script`` has been silent; ``log_file`` is named in the warning."""

    def __init__(self, script: str, log_file: Path) -> None:
        self._script, self._log_file = script, log_file
        self._since = self._told = time.monotonic()
        self._warned = False

    def heard(self) -> bool:
        """There is output; whether a silence had been told before it."""
        self._since = self._told = time.monotonic()
        ended, self._warned = self._warned, False
        return ended

    def look(self) -> float | None:
        """Called often; the seconds of silence whenever they are to be shown."""
        now = time.monotonic()
        if now - self._since < WARN_AFTER or (self._warned and now - self._told < AGAIN_AFTER):
            return None
        if not self._warned:
            log.warning(
                "%s has printed nothing for %d minutes. It is left alone: it may be loading, or a step may be slow. "
                "If it stands still, cancel it and look into %s",
                self._script, WARN_AFTER // 60, self._log_file,
            )  # fmt: skip
        self._warned, self._told = True, now
        return now - self._since
