from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from musubi_nodes.media.probe import VideoFacts, probe
from musubi_nodes.testing.errors import fails

Make = Callable[..., Path]


def test_size_rate_and_frames_are_exact(tmp_path: Path, video: Make) -> None:
    facts = probe(video(tmp_path / "ä [1] %d.mp4", frames=12, fps=24))
    assert facts == VideoFacts(96, 64, 24.0, 12, 0.5, codec="mpeg4", pixels="yuv420p")


def test_a_changed_file_is_read_again(tmp_path: Path, video: Make) -> None:
    path = video(tmp_path / "a.mp4", frames=12)
    assert probe(path).frames == 12
    assert probe(video(path, frames=9)).frames == 9


@pytest.mark.parametrize("data", [b"", b"not a video", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\nhttp://localhost/x.ts\n"])
def test_what_is_no_video_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with fails("video-unreadable" if data else "file-empty", path):
        probe(path)
    with fails("file-missing", "none.mp4"):
        probe(tmp_path / "none.mp4")
