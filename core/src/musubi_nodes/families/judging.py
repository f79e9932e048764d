"""Checks of a dataset for a model family."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from musubi_nodes.datasets.checks.check import Report, check
from musubi_nodes.datasets.checks.check_content import OnMissing
from musubi_nodes.datasets.config.schema import DatasetConfig, DatasetSection, VideoDataset, effective
from musubi_nodes.datasets.scan.items import Scan
from musubi_nodes.datasets.scan.report import named
from musubi_nodes.errors import Problem
from musubi_nodes.families.family import Family


def judge(found: Scan, config: DatasetConfig, missing_captions: OnMissing, family: Family | None) -> Report:
    """Check files and TOML, by common rules without a ``family``."""
    report = judge_files(found, config, missing_captions, family)
    return report.with_errors([*cannot_take(family, config), *wrong_companions(family, found)])


def warnings_for(family: Family, found: Scan, config: DatasetConfig, missing_captions: OnMissing) -> list[Problem]:
    """Return the family's own warnings, such as its frame rate."""
    known = judge_files(found, config, missing_captions, None).warnings
    return [each for each in judge_files(found, config, missing_captions, family).warnings if each not in known]


def judge_files(found: Scan, config: DatasetConfig, missing_captions: OnMissing, family: Family | None) -> Report:
    """Check without the family's check of the TOML."""
    rule, fps = (family.frame_rule, family.fps) if family else (None, None)
    return check(found, config, frame_rule=rule, fps=fps, missing_captions=missing_captions)


def wrong_companions(family: Family | None, found: Scan) -> list[Problem]:
    """Report datasets with a wrong number of companions per item."""
    if family is None:
        return []
    rules = {
        "control-count-wrong": ("control pictures", family.item_controls, attrgetter("control_files")),
        "target-count-wrong": ("further targets (multiple_target)", family.item_targets, attrgetter("target_files")),
    }
    problems = []
    for code, (name, rule, files) in rules.items():
        if rule is None:
            continue
        for part in found.datasets:
            wrong = [item.path for item in part.items if not rule.fits(len(files(item)))]
            if wrong and not part.missing_controls:  # the check of the files has told of those
                text = f"{name} of an item must be {rule.explain()}, those of {len(wrong)} are not"
                told = f"{family.title} cannot take {part.name}: {text}: {named(map(str, wrong), 3)}"
                problems.append(Problem(code, told))
    return problems


def cannot_take(family: Family | None, config: DatasetConfig) -> list[Problem]:
    """Report what the family can't use in the TOML."""
    if family is None:
        return []
    datasets = effective(config)
    videos = _videos(datasets) if family.frame_rule.pictures_only else ()
    found = (*videos, *family.check_dataset(datasets))
    return [Problem(each.code, f"{family.title} cannot take {each}") for each in found]


def _videos(datasets: Sequence[DatasetSection]) -> Iterable[Problem]:
    for number, dataset in enumerate(datasets):
        if isinstance(dataset, VideoDataset):
            yield Problem(
                "videos-not-allowed", f"datasets[{number}]: it holds videos, and this model knows pictures only"
            )
