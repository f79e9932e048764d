"""Broken dataset TOMLs, one mistake each, and what the message must name: code, place, value, hint."""

from __future__ import annotations

from typing import NamedTuple

GENERAL = '[general]\ncaption_extension = ".txt"\nenable_bucket = true\n\n'
IMAGES = GENERAL + '[[datasets]]\nimage_directory = "cats"\n'
VIDEOS = GENERAL + '[[datasets]]\nvideo_directory = "clips"\n'


class Broken(NamedTuple):
    """``where`` is the key with its place, ``value`` as the user wrote it, ``hint`` what may stand there instead."""

    code: str
    name: str
    text: str
    where: str
    value: str
    hint: str = ""


def _image(code: str, line: str, where: str, value: str, hint: str = "") -> Broken:
    return Broken(code, f"image: {line}"[:70], f"{IMAGES}{line}\n", where, value, hint)


def _video(code: str, line: str, where: str, value: str, hint: str = "") -> Broken:
    return Broken(code, f"video: {line}"[:70], f"{VIDEOS}{line}\n", where, value, hint)


def _layout(code: str, name: str, text: str, where: str, value: str, hint: str = "") -> Broken:
    return Broken(code, name, text, where, value, hint)


D = "datasets[0]."
BROKEN = (
    # keys that do not exist
    _image("key-unknown", 'cache_dir = "c"', D + "cache_dir", "'c'", "'cache_directory'"),
    _image("key-unknown", "batchsize = 3", D + "batchsize", "3", "'batch_size'"),
    _image("key-unknown", "num_repeat = 3", D + "num_repeat", "3", "'num_repeats'"),
    _image("key-unknown", "enable_buckets = true", D + "enable_buckets", "true", "'enable_bucket'"),
    _image("key-unknown", "resolutions = 512", D + "resolutions", "512", "'resolution'"),
    _image("key-unknown", 'caption_extention = ".txt"', D + "caption_extention", "'.txt'", "'caption_extension'"),
    _image("key-of-another-trainer", 'class_tokens = "cat"', D + "class_tokens", "'cat'"),
    _image("key-of-another-trainer", "flip_aug = true", D + "flip_aug", "true"),
    _video("key-unknown", "target_frame = [25]", D + "target_frame", "[25]", "'target_frames'"),
    _video("key-unknown", 'frame_extract = "head"', D + "frame_extract", "'head'", "'frame_extraction'"),
    _video("key-unknown", "source_fp = 24.0", D + "source_fp", "24.0", "'source_fps'"),
    _video("key-unknown", "max_frame = 81", D + "max_frame", "81", "'max_frames'"),
    # keys of the other kind
    _image("key-misplaced", "target_frames = [1]", D + "target_frames", "[1]", "video_directory"),
    _image("key-misplaced", 'frame_extraction = "head"', D + "frame_extraction", "'head'", "video_directory"),
    _image("key-misplaced", "source_fps = 24.0", D + "source_fps", "24.0", "video_directory"),
    _image("key-misplaced", "max_frames = 81", D + "max_frames", "81", "video_directory"),
    _video("key-misplaced", "multiple_target = true", D + "multiple_target", "true", "image_directory"),
    _video("key-misplaced", "no_resize_control = true", D + "no_resize_control", "true", "image_directory"),
    _video("key-misplaced", "control_resolution = 512", D + "control_resolution", "512", "image_directory"),
    _video("key-misplaced", "fp_1f_target_index = 9", D + "fp_1f_target_index", "9", "image_directory"),
    # numbers that nobody means, and that would fill the memory
    _video("less-than-equal", "frame_sample = 100000000", D + "frame_sample", "100000000", "10000"),
    _video("less-than-equal", "frame_stride = 100000000", D + "frame_stride", "100000000", "100000"),
    _video("less-than-equal", "max_frames = 100000000", D + "max_frames", "100000000", "100000"),
    _video("less-than-equal", "target_frames = [100000001]", D + "target_frames[0]", "100000001", "100000"),
    _video("too-long", f"target_frames = {[*range(1, 500, 4)]}", D + "target_frames", "[1, 5, 9,", "100"),
    _video("less-than-equal", "batch_size = 100000000", D + "batch_size", "100000000", "1024"),
    _image("less-than-equal", "batch_size = 100000000", D + "batch_size", "100000000", "1024"),
    _image("less-than-equal", "num_repeats = 100000000", D + "num_repeats", "100000000", "100000"),
    _image("less-than-equal", "resolution = [1000000000, 1000000000]", D + "resolution[0]", "1000000000", "8192"),
    _image("less-than-equal", "resolution = 1000000000", D + "resolution", "1000000000", "8192"),
    _image("less-than-equal", "control_resolution = 1000000000", D + "control_resolution", "1000000000", "8192"),
    _image("less-than-equal", "fp_latent_window_size = 1000000", D + "fp_latent_window_size", "1000000", "100"),
    _image("too-long", f"fp_1f_clean_indices = {[0] * 500}", D + "fp_1f_clean_indices", "[0, 0, 0,", "100"),
    _image("less-than-equal", "fp_1f_target_index = 10000000000", D + "fp_1f_target_index", "10000000000", "100000"),
    # values of a wrong type
    _image("int-type", 'batch_size = "2"', D + "batch_size", "'2'"),
    _image("int-type", "batch_size = 2.0", D + "batch_size", "2.0"),
    _image("int-type", "batch_size = true", D + "batch_size", "true"),
    _image("int-type", "num_repeats = [1]", D + "num_repeats", "[1]"),
    _image("bool-type", "enable_bucket = 1", D + "enable_bucket", "1"),
    _image("bool-type", 'enable_bucket = "true"', D + "enable_bucket", "'true'"),
    _image("bool-type", 'bucket_no_upscale = "no"', D + "bucket_no_upscale", "'no'"),
    _image("string-type", "caption_extension = 5", D + "caption_extension", "5"),
    _image("path-type", "cache_directory = 5", D + "cache_directory", "5"),
    _image("path-type", "control_directory = true", D + "control_directory", "true"),
    _image("tuple-type", 'resolution = "512"', D + "resolution", "'512'", "[960, 544]"),
    _image("int-type", 'resolution = [512, "512"]', D + "resolution[1]", "'512'"),
    _image("tuple-type", "fp_1f_clean_indices = 0", D + "fp_1f_clean_indices", "0", "[0, 10]"),
    _image("bool-type", 'fp_1f_no_post = "x"', D + "fp_1f_no_post", "'x'"),
    _image("int-type", "fp_1f_target_index = 9.5", D + "fp_1f_target_index", "9.5"),
    _video("tuple-type", "target_frames = 25", D + "target_frames", "25", "[1, 25]"),
    _video("int-type", 'target_frames = ["25"]', D + "target_frames[0]", "'25'"),
    _video("float-type", 'source_fps = "30"', D + "source_fps", "'30'"),
    _video("int-type", "frame_stride = 1.5", D + "frame_stride", "1.5"),
    # values out of range
    _image("greater-than-equal", "batch_size = 0", D + "batch_size", "0", "1"),
    _image("greater-than-equal", "num_repeats = -1", D + "num_repeats", "-1", "1"),
    _image("less-than-equal", "num_repeats = 1000000000000", D + "num_repeats", "1000000000000", "100000"),
    _image("less-than-equal", "resolution = [64, 99999]", D + "resolution[1]", "99999", "8192"),
    _image("greater-than-equal", "resolution = 8", D + "resolution[0]", "8", "16"),
    _image("missing", "resolution = [64]", D + "resolution", "[64]"),
    _image("too-long", "resolution = [64, 64, 64]", D + "resolution", "[64, 64, 64]"),
    _image("resolution-too-small", "resolution = 20", D + "resolution", "20x20", "32x32"),
    _image(
        "resolution-not-a-multiple", "enable_bucket = false\nresolution = [100, 64]", D + "resolution", "100x64",
        "[96, 64]",
    ),
    _image("greater-than-equal", "fp_latent_window_size = 0", D + "fp_latent_window_size", "0", "1"),
    _image("greater-than-equal", "control_resolution = 4", D + "control_resolution[0]", "4", "16"),
    _image("caption-extension-invalid", 'caption_extension = "txt"', D + "caption_extension", "'txt'", "'.txt'"),
    _image("caption-extension-invalid", 'caption_extension = ".a.txt"', D + "caption_extension", "'.a.txt'", "'.txt'"),
    _image("caption-extension-invalid", 'caption_extension = "*.txt"', D + "caption_extension", "'*.txt'"),
    _image("path-empty", 'cache_directory = " "', D + "cache_directory", "' '"),
    _image("path-control-character", 'cache_directory = "C:\\\\temp\\tcache"', D + "cache_directory", "tcache"),
    _video("too-short", "target_frames = []", D + "target_frames", "[]"),
    _video("greater-than-equal", "target_frames = [1, 0]", D + "target_frames[1]", "0", "1"),
    _video("greater-than", "source_fps = 0", D + "source_fps", "0", "0"),
    _video("finite-number", "source_fps = nan", D + "source_fps", "nan"),
    _video("literal-error", 'frame_extraction = "heads"', D + "frame_extraction", "'heads'", "'head'"),
    _video("literal-error", 'frame_extraction = "HEAD"', D + "frame_extraction", "'HEAD'", "head, chunk, slide"),
    _video("greater-than-equal", "frame_sample = 0", D + "frame_sample", "0", "1"),
    _video("greater-than-equal", "max_frames = 0", D + "max_frames", "0", "1"),
    # layout
    _image("dataset-sources-conflict", 'image_jsonl_file = "x.jsonl"', "datasets[0]", "image_jsonl_file"),
    _image("dataset-sources-conflict", 'video_directory = "x"', "datasets[0]", "video_directory", "[[datasets]]"),
    _layout("datasets-missing", "nothing", "", "datasets", "", "[[datasets]]"),
    _layout("datasets-missing", "empty list", "datasets = []", "datasets", "", "[[datasets]]"),
    _layout("section-invalid", "one bracket", '[datasets]\nimage_directory = "a"', "datasets", "", "[[datasets]]"),
    _layout("section-invalid", "a number", "datasets = [1]", "datasets[0]", "1", "[[datasets]]"),
    _layout("section-invalid", "general", f"general = 1\n{IMAGES.split(chr(10), 4)[-1]}", "general", "1", "[general]"),
    _layout("key-misplaced", "stray", f"resolution = 64\n{IMAGES}", "resolution", "64", "[general] or [[datasets]]"),
    _layout("key-misplaced", "stray of one kind", f"max_frames = 9\n{VIDEOS}", "max_frames", "9", "[[datasets]]"),
    _layout("section-unknown", "section", IMAGES.replace("[[datasets", "[[dataset"), "dataset", "", "'datasets'"),
    _layout("section-unknown", "foreign section", f"[train]\nlr = 1\n{IMAGES}", "train", "{'lr': 1}"),
    _layout(
        "key-misplaced", "not general", IMAGES.replace("[[", "target_frames = [1]\n[["), "general.target_frames", "[1]",
        "[[datasets]]",
    ),
    _layout(
        "key-unknown", "typing error in general", IMAGES.replace("[[", "batchsize = 1\n[["), "general.batchsize", "1",
        "'batch_size'",
    ),
    _layout("key-unknown", "foreign in general", IMAGES.replace("[[", "lr = 1\n[["), "general.lr", "1"),
    _layout(
        "greater-than-equal", "type in general", IMAGES.replace("[[", "batch_size = 0\n[["), "general.batch_size", "0",
        "1",
    ),
    _layout(
        "caption-extension-missing", "no extension", '[[datasets]]\nimage_directory = "a"', "datasets[0]", "",
        'caption_extension = ".txt"',
    ),
    _layout(
        "dataset-source-missing", "no source", GENERAL + "[[datasets]]\nbatch_size = 1", "datasets[0]", "batch_size",
        "image_directory",
    ),
)  # fmt: skip
