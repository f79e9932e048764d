"""Findings in one video dataset, from headers only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from musubi_nodes.datasets.config.buckets import bucket_of
from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.datasets.config.schema import VideoDataset
from musubi_nodes.datasets.files.facts import video_facts
from musubi_nodes.datasets.scan.clips import clips_of, extraction, frames_read, rounded_targets
from musubi_nodes.datasets.scan.items import DatasetScan
from musubi_nodes.datasets.scan.report import Findings, named
from musubi_nodes.errors import MusubiError, Problem
from musubi_nodes.media.probe import VideoFacts


def check_videos(scan: DatasetScan, dataset: VideoDataset, found: Findings, rule: FrameRule, fps: float | None) -> None:
    if rule.window is not None:
        rule = replace(rule, window=dataset.fp_latent_window_size)
    _targets(scan.name, dataset, found, rule)
    filled = [item.file for item in scan.items if item.file.size or item.file.is_folder]  # others are reported
    asked = video_facts(filled)
    facts = {path: fact for path, fact in asked.items() if not isinstance(fact, MusubiError)}
    broken = [path for path, fact in asked.items() if isinstance(fact, MusubiError)]
    found.add(found.errors, "video-unreadable", scan.name, broken, "video", "that cannot be read")
    _lengths(scan.name, dataset, found, facts, rule, fps)
    _rates(scan.name, dataset, found, facts, fps)
    _shapes(scan.name, dataset, found, facts)
    _seen_otherwise(scan.name, found, facts)


def _targets(name: str, dataset: VideoDataset, found: Findings, rule: FrameRule) -> None:
    if extraction(dataset) == "full":
        _longest(name, dataset, found, rule)
        return
    if "target_frames" not in dataset.model_fields_set:
        text = f"{name}: target_frames is not set, so each clip is one frame; the model takes {rule.explain()}"
        found.warnings.append(Problem("target-frames-missing", text))
        return
    for frames in dataset.target_frames:
        if rule.fits(frames):
            continue
        text = f"{name}: target_frames has {frames}, but the model takes {rule.explain()}"
        near = rule.round_down(frames)
        if near:  # documented: "truncated"; musubi-tuner's own example has 79
            text = f"{text}: it is cut to {near}; use {near} or {near + rule.stride}"
            found.warnings.append(Problem("frames-not-allowed", text))
        else:
            found.errors.append(Problem("frames-not-allowed", f"{text}; use {rule.shortest}"))
    if extraction(dataset) == "chunk" and 1 in dataset.target_frames:
        text = f"{name}: target_frames has 1 with frame_extraction chunk: every frame becomes a clip"
        found.warnings.append(Problem("chunk-of-one-frame", text))


def _longest(name: str, dataset: VideoDataset, found: Findings, rule: FrameRule) -> None:
    """Don't warn about truncation when ``max_frames`` is the default."""
    frames, near = dataset.max_frames, rule.round_down(dataset.max_frames)
    text = f"{name}: max_frames is {frames}, but the model takes {rule.explain()}"
    if not near:
        found.errors.append(Problem("frames-not-allowed", f"{text}; use {rule.shortest} or more"))
    elif near != frames and "max_frames" in dataset.model_fields_set:
        text = f"{text}: longer videos are cut to {near}; use {near} or {near + rule.stride}"
        found.warnings.append(Problem("frames-not-allowed", text))


def _lengths(
    name: str,
    dataset: VideoDataset,
    found: Findings,
    facts: Mapping[Path, VideoFacts],
    rule: FrameRule,
    fps: float | None,
) -> None:
    clips = {path: clips_of(dataset, fact.frames, fps) for path, fact in facts.items()}
    shown = {path: f"{path.name} ({_frames(dataset, fact, fps)})" for path, fact in facts.items()}
    if extraction(dataset) == "full":
        if dataset.max_frames < rule.shortest:
            return  # already an error of max_frames
        short = [shown[path] for path, cut in clips.items() if max(cut, default=0) < rule.shortest]
        found.add(found.errors, "video-too-short", name, short, "video", f"with fewer than {rule.shortest} frames")
        return
    targets = rounded_targets(dataset)
    short = [shown[path] for path, cut in clips.items() if not cut]
    text = f"shorter than every target_frames ({targets[0]}), which musubi-tuner leaves out silently"
    found.add(found.errors, "video-too-short", name, short, "video", text)
    used = {length for cut in clips.values() for length in cut}
    unused = [length for length in targets if length not in used] if used else []
    if unused:
        text = f"{name}: no video is long enough for target_frames {named(unused)}"
        found.warnings.append(Problem("target-frames-unused", text))


def _frames(dataset: VideoDataset, fact: VideoFacts, fps: float | None) -> str:
    read = frames_read(dataset, fact.frames, fps)
    return f"{fact.frames} frames" if fps is None or read == fact.frames else f"{read} of {fact.frames} at {fps:g} fps"


def _rates(
    name: str, dataset: VideoDataset, found: Findings, facts: Mapping[Path, VideoFacts], fps: float | None
) -> None:
    rated = {path: fact.fps for path, fact in facts.items() if fact.fps > 0}
    source = dataset.source_fps
    if source is not None:
        other = [f"{path.name} ({rate:g})" for path, rate in rated.items() if abs(rate - source) > 0.02 * source]
        text = f"with another frame rate than source_fps {source:g}"
        found.add(found.warnings, "frame-rate-differs", name, other, "video", text)
        if fps is not None and source < fps * 0.98:
            text = f"{name}: source_fps {source:g} is below the model's {fps:g}; motion is learned too fast"
            found.warnings.append(Problem("source-fps-too-low", text))
    elif fps is not None:
        other = [f"{path.name} ({rate:g})" for path, rate in rated.items() if abs(rate - fps) > 0.05 * fps]
        text = f"with another frame rate than the model's {fps:g}, learned at another speed"
        fix = "set source_fps if they share one rate"
        found.add(found.warnings, "frame-rate-differs", name, other, "video", text, fix)


_ODD: tuple[tuple[str, Callable[[VideoFacts], bool], str, str], ...] = (
    (
        "video-rotated",
        lambda fact: fact.rotation % 360 != 0,
        "with a rotation flag, which musubi-tuner does not apply: they are learned lying down",
        "write them with Video Input and Video Output, which turns the pixels",
    ),
    (
        "video-pixels-not-square",
        lambda fact: abs(fact.pixel_aspect - 1) > 0.02,
        "whose pixels are not square, which musubi-tuner takes for square: everything is learned too wide or narrow",
        "write them with Video Input, which can set the width that players show, and Video Output",
    ),
    (
        "video-hdr",
        lambda fact: fact.hdr,
        "in HDR (HLG or PQ), which musubi-tuner reads as if it were SDR: pale colours are learned",
        "convert them to SDR",
    ),
    (
        "video-interlaced",
        lambda fact: fact.interlaced,
        "interlaced, which musubi-tuner does not undo: comb lines are learned",
        "deinterlace them",
    ),
)
"""musubi-tuner takes frames as stored (dataset/media_utils.py, v0.3.4)."""


def _seen_otherwise(name: str, found: Findings, facts: Mapping[Path, VideoFacts]) -> None:
    for code, is_odd, text, fix in _ODD:
        odd = [path for path, fact in facts.items() if is_odd(fact)]
        found.add(found.warnings, code, name, odd, "video", text, fix)


def _shapes(name: str, dataset: VideoDataset, found: Findings, facts: Mapping[Path, VideoFacts]) -> None:
    # Latents always come from buckets; without enable_bucket training still puts them into one batch.
    if dataset.enable_bucket or dataset.batch_size == 1:
        return
    sizes = Counter(bucket_of((f.width, f.height), dataset.resolution, enable=True) for f in facts.values())
    if len(sizes) > 1:
        shapes = named(f"{width}x{height}" for width, height in sizes)
        text = f"{name}: videos of several shapes ({shapes}) with batch_size above 1 need enable_bucket = true"
        found.errors.append(Problem("video-sizes-differ", text))
