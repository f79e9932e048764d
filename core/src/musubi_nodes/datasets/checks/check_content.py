"""Findings in one dataset: media, captions, controls, JSONL lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from musubi_nodes.datasets.config.schema import DatasetSection, ImageDataset, source_of
from musubi_nodes.datasets.files.facts import facts_of_images
from musubi_nodes.datasets.files.headers import ImageIssue
from musubi_nodes.datasets.scan.folder import MISSING_FOLDER, NOT_A_FOLDER
from musubi_nodes.datasets.scan.items import DatasetScan
from musubi_nodes.datasets.scan.report import Findings, named
from musubi_nodes.errors import MusubiError, Problem, did_you_mean, is_one_line
from musubi_nodes.files import CAPTION, PICTURE, Limit, is_file, is_folder, open_file

OnMissing = Literal["error", "skip"]


def check_content(scan: DatasetScan, dataset: DatasetSection, found: Findings, missing: OnMissing) -> None:
    if scan.trouble:
        found.errors.append(no_source(scan.name, dataset, scan.trouble))
        return
    if not scan.items:
        found.errors.append(_nothing(scan))
    _captions(scan, dataset, found, missing)
    _lines(scan, found)
    _controls(scan, dataset, found)
    _media(scan, dataset, found)
    _unseen(scan, found)


def no_source(name: str, dataset: DatasetSection, trouble: Problem) -> Problem:
    """Describe ``trouble`` of a dataset's folder or JSONL file."""
    source, what = source_of(dataset), "the folder" if dataset.directory else "the file"
    try:
        near = "" if source.exists() else did_you_mean(source.name, [path.name for path in source.parent.iterdir()])
    except OSError:
        near = ""
    cost = (
        f" musubi-tuner would find 0 {dataset.kind}s there, end as if all were well, and delete every cache of this "
        "dataset unless --keep_cache is given."
        if dataset.directory
        else ""
    )
    where = "A relative path counts from the TOML's own folder, in the editor from ComfyUI's input folder."
    return Problem(trouble.code, f"{name}: {what} {source} {trouble}{near}.{cost} {where}")


def _nothing(scan: DatasetScan) -> Problem:
    kinds = (
        ("without caption", scan.without_caption),
        (f"subfolders with {scan.kind}s, which it does not enter", scan.subfolders),
        ("other files", scan.ignored),
    )
    hints = "".join(f"; {what}: {named(found, 3)}" for what, found in kinds if found)
    return Problem("dataset-empty", f"{scan.name}: no {scan.kind} to train on in {scan.source}{hints}")


def _captions(scan: DatasetScan, dataset: DatasetSection, found: Findings, missing: OnMissing) -> None:
    without = f"without {dataset.caption_extension} caption"
    if scan.kind == "video":
        to, text = found.errors, f"{without}, which stops musubi-tuner"
    else:
        to = found.errors if missing == "error" else found.warnings
        text = f"{without}, which musubi-tuner leaves out silently"
    found.add(to, "caption-missing", scan.name, scan.without_caption, scan.kind, text)
    unusable = {path: None for path in scan.not_utf8 if not _can_be_opened(path, CAPTION)}
    text = f"which is not a file of at most {CAPTION.most // 1_000_000} MB that can be opened"
    found.add(found.errors, "file-unreadable", scan.name, [*unusable], "caption", text, "write it again")
    encoded = [path for path in scan.not_utf8 if path not in unusable]
    found.add(found.errors, "file-not-utf8", scan.name, encoded, "caption", "not in UTF-8", "save it again as UTF-8")
    found.add(found.warnings, "caption-empty", scan.name, scan.empty_captions, "caption", "empty")
    text = "with a byte order mark, which becomes part of the caption"
    marked, fix = scan.marked_captions, "save it again as UTF-8 without BOM"
    found.add(found.warnings, "file-byte-order-mark", scan.name, marked, "caption", text, fix)
    stems = {path.stem.casefold() for path in scan.without_caption}
    cased = [path for path in scan.captions_alone if path.stem.casefold() in stems]
    others = [path for path in scan.captions_alone if path not in cased]
    text = f"whose name differs from its {scan.kind}'s in upper and lower case"
    found.add(found.warnings, "caption-other-case", scan.name, cased, "caption", text, "give both the same name")
    text = f"without {scan.kind} of the same name"
    found.add(found.warnings, "caption-without-media", scan.name, others, "caption", text)


def _lines(scan: DatasetScan, found: Findings) -> None:
    where = f"{scan.name}: {scan.source.name}"
    found.errors.extend(Problem(line.code, f"{where}, {line}") for line in scan.bad_lines[:10])
    found.add(found.errors, "line-invalid", where, scan.bad_lines[10:], "more bad line", "like these")
    found.add(found.errors, "file-missing", where, scan.missing_files, "file", "named but not there")
    text = "with a relative path, which counts from the folder that musubi-tuner is started in"
    found.add(found.errors, "path-not-absolute", where, scan.relative_lines, "line", text, "write absolute paths")


def _controls(scan: DatasetScan, dataset: DatasetSection, found: Findings) -> None:
    found.errors.extend(Problem(each.code, f"{scan.name}: {each}") for each in scan.bad_companions[:10])
    folder = dataset.control_directory if dataset.directory else None
    if scan.missing_controls and folder and not is_folder(folder):
        trouble = NOT_A_FOLDER if is_file(folder) else MISSING_FOLDER
        found.errors.append(Problem(trouble.code, f"{scan.name}: control_directory {folder} {trouble}"))
    else:
        found.add(found.errors, "control-missing", scan.name, scan.missing_controls, scan.kind, "without control")
    if isinstance(dataset, ImageDataset) and dataset.fp_1f_clean_indices:
        needed = len(dataset.fp_1f_clean_indices)
        few = [item.path for item in scan.noticed if 0 < len(item.control_files) < needed]
        text = f"with fewer than the {needed} controls of fp_1f_clean_indices"
        found.add(found.errors, "control-missing", scan.name, few, "image", text)
    if (
        isinstance(dataset, ImageDataset)
        and dataset.multiple_target
        and not any(item.target_files for item in scan.noticed)
    ):
        text = "multiple_target is on, but no image has further targets (x_1.png beside x.png)"
        found.errors.append(Problem("target-missing", f"{scan.name}: {text}"))
    if dataset.control_directory and dataset.jsonl_file:
        text = f"{scan.name}: control_directory is ignored with JSONL; put control_path into the lines"
        found.warnings.append(Problem("setting-ignored", text))


def _media(scan: DatasetScan, dataset: DatasetSection, found: Findings) -> None:
    others = [file for item in scan.noticed for file in (*item.target_files, *item.control_files) if not file.is_folder]
    empty = [item.path for item in scan.noticed if item.file.size == 0 and not item.file.is_folder]
    empty += [Path(file.path) for file in others if file.size == 0]
    found.add(found.errors, "file-empty", scan.name, empty, "file", "empty (0 bytes)")
    odd = [Path(file.path) for item in scan.noticed for file in item.media if not is_one_line(file.path)]
    text = "with a line break or control character in its path, which could pass for a line of the script's output"
    found.add(found.errors, "path-control-character", scan.name, odd, "file", text, "rename it")
    told = set(empty)
    if scan.kind == "image":
        looks = list(zip(others, facts_of_images(others), strict=True))
        broken = [item.path for item in scan.noticed if isinstance(item.facts, MusubiError)]
        broken += [Path(file.path) for file, facts in looks if isinstance(facts, MusubiError)]
        broken = [path for path in broken if path not in told and not _is_avif(path)]
        found.add(found.errors, "image-unreadable", scan.name, broken, "image", "that cannot be read")
        beside = [(Path(file.path), facts.odd) for file, facts in looks if isinstance(facts, tuple) and facts.odd]
        _odd(scan, dataset, beside, found)


def _can_be_opened(path: Path, limit: Limit) -> bool:
    try:
        open_file(path, limit).close()
    except OSError:
        return False
    return True


def _is_avif(path: Path) -> bool:
    """Whether it needs Pillow 11.3, which only musubi-tuner may have."""
    try:
        with open_file(path, PICTURE) as file:
            return file.read(12)[4:] in (b"ftypavif", b"ftypavis", b"ftypmif1")
    except (OSError, ValueError):
        return False


_ODD: dict[ImageIssue, tuple[str, str, str]] = {
    "alpha": (
        "image-transparent",
        "with transparency, which musubi-tuner drops: transparent parts are learned in their hidden colour",
        "",
    ),
    "grey16": (
        "image-16-bit",
        "in 16-bit grey, which musubi-tuner clips at 255: nearly everything becomes white",
        "save with 8 bits",
    ),
    "rotated": ("image-rotated", "with an EXIF rotation, which musubi-tuner does not apply", "rotate the pixels"),
    "animated": ("image-animated", "animated, of which musubi-tuner takes the first picture", ""),
}
"""Sources: dataset/datasources.py and cache_latents.py, v0.3.4."""


def _odd(
    scan: DatasetScan, dataset: DatasetSection, beside: Sequence[tuple[Path, ImageIssue]], found: Findings
) -> None:
    """Skip alpha in ``beside``: layers and FramePack's masks need it."""
    items: list[tuple[Path, ImageIssue]] = [
        (item.path, item.facts.odd) for item in scan.noticed if isinstance(item.facts, tuple) and item.facts.odd
    ]
    if isinstance(dataset, ImageDataset) and dataset.multiple_target:
        items = [each for each in items if each[1] != "alpha"]
    items += [each for each in beside if each[1] != "alpha"]
    for odd, (code, text, fix) in _ODD.items():
        found.add(found.warnings, code, scan.name, [path for path, this in items if this == odd], "image", text, fix)


def _unseen(scan: DatasetScan, found: Findings) -> None:
    text, fix = f"with {scan.kind}s, which musubi-tuner does not enter", "give each its own [[datasets]]"
    found.add(found.warnings, "subfolder-ignored", scan.name, scan.subfolders, "subfolder", text, fix)
    text = f"ignored, neither {scan.kind} with an ending that musubi-tuner takes nor caption"
    found.add(found.warnings, "file-ignored", scan.name, scan.ignored, "file", text)
