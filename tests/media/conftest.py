from __future__ import annotations

from functools import cache

import pytest
from tests.moving import ffmpeg


@cache
def reads_animated_webp() -> bool:
    return b" webp_anim " in ffmpeg("-demuxers")


@pytest.fixture(autouse=True)
def _readable(request: pytest.FixtureRequest) -> None:
    """Skip what must read a WebP back where ffmpeg is older than 8."""
    values = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    if any(value in ("webp", ".webp") for value in values if isinstance(value, str)) and not reads_animated_webp():
        pytest.skip("this ffmpeg reads no animated WebP")
