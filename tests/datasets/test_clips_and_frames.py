from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musubi_nodes.datasets.config.buckets import bucket_of, bucket_sizes
from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.datasets.config.schema import VideoDataset
from musubi_nodes.datasets.scan.clips import clips_of, frames_read


def _set(**options: object) -> VideoDataset:
    return VideoDataset(video_directory="v", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "frames", "down"),
    [
        (FrameRule(), 6, 5), (FrameRule(), 5, 5), (FrameRule(), 1, 1), (FrameRule(), 0, 0),
        (FrameRule(window=9), 36, 0), (FrameRule(window=9), 37, 37), (FrameRule(window=9), 108, 73),
        (FrameRule(step=8), 16, 9),
    ],
)  # fmt: skip
def test_lengths_round_down_to_the_rule(rule: FrameRule, frames: int, down: int) -> None:
    assert rule.round_down(frames) == down and rule.fits(frames) == (frames == down and frames > 0)


def test_a_rule_explains_itself() -> None:
    assert FrameRule().explain() == "N*4+1 frames (1, 5, 9, 13, ...)"
    assert FrameRule(window=9).explain() == "N*36+1 frames (37, 73, 109, 145, ...)"


@given(st.integers(0, 2000), st.integers(1, 20) | st.none())
def test_rounding_down_always_fits(frames: int, window: int | None) -> None:
    rule = FrameRule(window=window)
    down = rule.round_down(frames)
    assert down <= frames and (down == 0 or rule.fits(down))


@pytest.mark.parametrize(
    ("options", "clips"),
    [
        ({"target_frames": [1, 25]}, {1: 1, 25: 1}),
        ({"target_frames": [14, 13]}, {13: 1}),
        ({"target_frames": [13, 25], "frame_extraction": "chunk"}, {13: 3, 25: 1}),
        ({"target_frames": [25], "frame_extraction": "slide", "frame_stride": 10}, {25: 2}),
        (
            {"target_frames": [13], "frame_extraction": "uniform", "frame_sample": 4},
            {13: 4},
        ),
        ({"target_frames": [13], "frame_extraction": "uniform"}, {13: 1}),
        ({"frame_extraction": "full"}, {37: 1}),
        ({"frame_extraction": "full", "max_frames": 31}, {29: 1}),
        ({"target_frames": [41]}, {}),
    ],
)
def test_a_video_of_40_frames_is_cut_as_musubi_tuner_documents(options: dict, clips: dict) -> None:
    assert clips_of(_set(**options), 40) == clips


def test_clips_are_counted_not_made() -> None:
    lengths, film = list(range(1, 400, 4)), 10_000_000
    slide = _set(target_frames=lengths, frame_extraction="slide")
    assert sum(clips_of(slide, film).values()) == sum(film - length + 1 for length in lengths)


def test_frames_are_dropped_to_the_models_rate() -> None:
    full = _set(frame_extraction="full", source_fps=30)
    assert (frames_read(full, 60, 16.0), frames_read(full, 60, None)) == (32, 60)
    assert frames_read(_set(target_frames=[25], source_fps=16), 100, 24.0) == 17


def test_buckets_keep_the_area_and_follow_the_shape() -> None:
    assert bucket_of((1920, 1080), (960, 544), enable=True) == (960, 544)
    assert bucket_of((1080, 1920), (960, 544), enable=True) == (544, 960)
    assert bucket_of((1000, 1000), (960, 544), enable=True) == (720, 720)
    assert bucket_of((1920, 1080), (960, 540), enable=False) == (960, 540)
    assert bucket_of((100, 50), (960, 544), enable=True, no_upscale=True) == (96, 48)


@given(st.tuples(st.integers(32, 1500), st.integers(32, 1500)), st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
def test_a_bucket_is_always_one_of_the_list(resolution: tuple[int, int], size: tuple[int, int]) -> None:
    bucket = bucket_of(size, resolution, enable=True)
    assert bucket in bucket_sizes(resolution) and bucket[0] % 16 == bucket[1] % 16 == 0
