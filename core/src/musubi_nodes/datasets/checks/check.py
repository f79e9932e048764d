"""Checks of a dataset before a process starts."""

from __future__ import annotations

from musubi_nodes.datasets.checks.check_caches import check_caches
from musubi_nodes.datasets.checks.check_content import OnMissing, check_content
from musubi_nodes.datasets.checks.check_videos import check_videos
from musubi_nodes.datasets.config.frames import FrameRule
from musubi_nodes.datasets.config.rules import config_problems
from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, VideoDataset, effective
from musubi_nodes.datasets.scan.items import DatasetScan, Scan
from musubi_nodes.datasets.scan.report import Findings, Report

__all__ = ["Report", "check"]


def check(
    scan: Scan,
    config: DatasetConfig,
    *,
    frame_rule: FrameRule | None = None,
    missing_captions: OnMissing = "error",
    fps: float | None = None,
) -> Report:
    """Check ``scan``; reads only headers of media.

    ``frame_rule`` defaults to N*4+1, to which musubi-tuner rounds (v0.3.4). ``fps`` is
    the model's, to check dropped frames and speeds.
    """
    datasets, found = effective(config), Findings(errors=config_problems(config))
    rule = frame_rule or FrameRule()
    for one in scan.datasets:
        dataset = datasets[one.index]
        check_content(one, dataset, found, missing_captions)
        if isinstance(dataset, VideoDataset) and not one.trouble and not rule.pictures_only:
            check_videos(one, dataset, found, rule, fps)
    check_caches(scan.datasets, datasets, found)
    lines = tuple(_line(one, datasets[one.index]) for one in scan.datasets)
    return Report(tuple(found.errors), tuple(found.warnings), lines)


def _clips(dataset: VideoDataset) -> str:
    if dataset.frame_extraction == "full":
        return f"full, up to {dataset.max_frames} frames"
    return f"{dataset.frame_extraction} of {', '.join(map(str, dataset.target_frames))} frames"


def _line(scan: DatasetScan, dataset: DatasetSection) -> str:
    count, (width, height) = len(scan.items), dataset.resolution
    captioned = count - len(scan.empty_captions) - len(scan.not_utf8)
    parts = [f"{count} {scan.kind}{'' if count == 1 else 's'}", f"{captioned} with caption"]
    if any(item.control_files for item in scan.noticed):
        parts.append(f"{sum(1 for item in scan.noticed if item.control_files)} with control")
    if dataset.num_repeats > 1:
        parts.append(f"{dataset.num_repeats} times each")
    parts.append(f"{width}x{height}{' in buckets' if dataset.enable_bucket else ''}")
    parts.append(f"batch {dataset.batch_size}")
    if isinstance(dataset, VideoDataset):
        parts.append(_clips(dataset))
    return f"{scan.name} {scan.source}: {', '.join(parts)}"
