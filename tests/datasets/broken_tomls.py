"""Broken dataset TOMLs, one mistake each, and what the message must name: place, value, what to do."""

from __future__ import annotations

from typing import NamedTuple

GENERAL = '[general]\ncaption_extension = ".txt"\nenable_bucket = true\n\n'
IMAGES = GENERAL + '[[datasets]]\nimage_directory = "cats"\n'
VIDEOS = GENERAL + '[[datasets]]\nvideo_directory = "clips"\n'


class Broken(NamedTuple):
    """``where`` is the key with its place, ``value`` as the user wrote it, ``fix`` what the message tells to do."""

    name: str
    text: str
    where: str
    value: str
    fix: str


def _image(line: str, where: str, value: str, fix: str) -> Broken:
    return Broken(f"image: {line}"[:70], f"{IMAGES}{line}\n", where, value, fix)


def _video(line: str, where: str, value: str, fix: str) -> Broken:
    return Broken(f"video: {line}"[:70], f"{VIDEOS}{line}\n", where, value, fix)


def _layout(name: str, text: str, where: str, value: str, fix: str) -> Broken:
    return Broken(name, text, where, value, fix)


D = "datasets[0]."
BROKEN = (
    # keys that do not exist
    _image('cache_dir = "c"', D + "cache_dir", "'c'", "did you mean 'cache_directory'?"),
    _image("batchsize = 3", D + "batchsize", "3", "did you mean 'batch_size'?"),
    _image("num_repeat = 3", D + "num_repeat", "3", "did you mean 'num_repeats'?"),
    _image("enable_buckets = true", D + "enable_buckets", "true", "did you mean 'enable_bucket'?"),
    _image("resolutions = 512", D + "resolutions", "512", "did you mean 'resolution'?"),
    _image('caption_extention = ".txt"', D + "caption_extention", "'.txt'", "did you mean 'caption_extension'?"),
    _image('class_tokens = "cat"', D + "class_tokens", "'cat'", "remove it"),
    _image("flip_aug = true", D + "flip_aug", "true", "remove it"),
    _video("target_frame = [25]", D + "target_frame", "[25]", "did you mean 'target_frames'?"),
    _video('frame_extract = "head"', D + "frame_extract", "'head'", "did you mean 'frame_extraction'?"),
    _video("source_fp = 24.0", D + "source_fp", "24.0", "did you mean 'source_fps'?"),
    _video("max_frame = 81", D + "max_frame", "81", "did you mean 'max_frames'?"),
    # keys of the other kind
    _image("target_frames = [1]", D + "target_frames", "[1]", "remove it, or give a video_directory"),
    _image('frame_extraction = "head"', D + "frame_extraction", "'head'", "remove it, or give a video_directory"),
    _image("source_fps = 24.0", D + "source_fps", "24.0", "remove it, or give a video_directory"),
    _image("max_frames = 81", D + "max_frames", "81", "remove it, or give a video_directory"),
    _video("multiple_target = true", D + "multiple_target", "true", "remove it, or give an image_directory"),
    _video("no_resize_control = true", D + "no_resize_control", "true", "remove it, or give an image_directory"),
    _video("control_resolution = 512", D + "control_resolution", "512", "remove it, or give an image_directory"),
    _video("fp_1f_target_index = 9", D + "fp_1f_target_index", "9", "remove it, or give an image_directory"),
    # numbers that nobody means, and that would fill the memory
    _video("frame_sample = 100000000", D + "frame_sample", "100000000", "10000 or less"),
    _video("frame_stride = 100000000", D + "frame_stride", "100000000", "100000 or less"),
    _video("max_frames = 100000000", D + "max_frames", "100000000", "100000 or less"),
    _video("target_frames = [100000001]", D + "target_frames[0]", "100000001", "100000 or less"),
    _video(f"target_frames = {[*range(1, 500, 4)]}", D + "target_frames", "[1, 5, 9,", "at most 100 numbers"),
    _video("batch_size = 100000000", D + "batch_size", "100000000", "1024 or less"),
    _image("batch_size = 100000000", D + "batch_size", "100000000", "1024 or less"),
    _image("num_repeats = 100000000", D + "num_repeats", "100000000", "100000 or less"),
    _image("resolution = [1000000000, 1000000000]", D + "resolution[0]", "1000000000", "8192 or less"),
    _image("resolution = 1000000000", D + "resolution", "1000000000", "8192 or less"),
    _image("control_resolution = 1000000000", D + "control_resolution", "1000000000", "8192 or less"),
    _image("fp_latent_window_size = 1000000", D + "fp_latent_window_size", "1000000", "100 or less"),
    _image(f"fp_1f_clean_indices = {[0] * 500}", D + "fp_1f_clean_indices", "[0, 0, 0,", "at most 100 numbers"),
    _image("fp_1f_target_index = 10000000000", D + "fp_1f_target_index", "10000000000", "100000 or less"),
    # values of a wrong type
    _image('batch_size = "2"', D + "batch_size", "'2'", "expected a whole number"),
    _image("batch_size = 2.0", D + "batch_size", "2.0", "expected a whole number"),
    _image("batch_size = true", D + "batch_size", "true", "expected a whole number"),
    _image("num_repeats = [1]", D + "num_repeats", "[1]", "expected a whole number"),
    _image("enable_bucket = 1", D + "enable_bucket", "1", "expected true or false"),
    _image('enable_bucket = "true"', D + "enable_bucket", "'true'", "expected true or false"),
    _image('bucket_no_upscale = "no"', D + "bucket_no_upscale", "'no'", "expected true or false"),
    _image("caption_extension = 5", D + "caption_extension", "5", "expected text in quotes"),
    _image("cache_directory = 5", D + "cache_directory", "5", "expected a path in quotes"),
    _image("control_directory = true", D + "control_directory", "true", "expected a path in quotes"),
    _image('resolution = "512"', D + "resolution", "'512'", "expected a list such as [960, 544]"),
    _image('resolution = [512, "512"]', D + "resolution[1]", "'512'", "expected a whole number"),
    _image("fp_1f_clean_indices = 0", D + "fp_1f_clean_indices", "0", "expected a list such as [0, 10]"),
    _image('fp_1f_no_post = "x"', D + "fp_1f_no_post", "'x'", "expected true or false"),
    _image("fp_1f_target_index = 9.5", D + "fp_1f_target_index", "9.5", "expected a whole number"),
    _video("target_frames = 25", D + "target_frames", "25", "expected a list such as [1, 25]"),
    _video('target_frames = ["25"]', D + "target_frames[0]", "'25'", "expected a whole number"),
    _video('source_fps = "30"', D + "source_fps", "'30'", "expected a number"),
    _video("frame_stride = 1.5", D + "frame_stride", "1.5", "expected a whole number"),
    # values out of range
    _image("batch_size = 0", D + "batch_size", "0", "must be 1 or more"),
    _image("num_repeats = -1", D + "num_repeats", "-1", "must be 1 or more"),
    _image("num_repeats = 1000000000000", D + "num_repeats", "1000000000000", "must be 100000 or less"),
    _image("resolution = [64, 99999]", D + "resolution[1]", "99999", "must be 8192 or less"),
    _image("resolution = 8", D + "resolution[0]", "8", "must be 16 or more"),
    _image("resolution = [64]", D + "resolution", "[64]", "two numbers"),
    _image("resolution = [64, 64, 64]", D + "resolution", "[64, 64, 64]", "two numbers"),
    _image("resolution = 20", D + "resolution", "20x20", "use at least 32x32"),
    _image("enable_bucket = false\nresolution = [100, 64]", D + "resolution", "100x64", "use [96, 64]"),
    _image("fp_latent_window_size = 0", D + "fp_latent_window_size", "0", "must be 1 or more"),
    _image("control_resolution = 4", D + "control_resolution[0]", "4", "must be 16 or more"),
    _image('caption_extension = "txt"', D + "caption_extension", "'txt'", "must begin with a dot: '.txt'"),
    _image('caption_extension = ".a.txt"', D + "caption_extension", "'.a.txt'", "must be one ending such as '.txt'"),
    _image('caption_extension = "*.txt"', D + "caption_extension", "'*.txt'", "must begin with a dot"),
    _image('cache_directory = " "', D + "cache_directory", "' '", "give a path or remove it"),
    _image('cache_directory = "C:\\\\temp\\tcache"', D + "cache_directory", "tcache", "use single quotes"),
    _video("target_frames = []", D + "target_frames", "[]", "at least one number"),
    _video("target_frames = [1, 0]", D + "target_frames[1]", "0", "must be 1 or more"),
    _video("source_fps = 0", D + "source_fps", "0", "must be more than 0"),
    _video("source_fps = nan", D + "source_fps", "nan", "expected a finite number"),
    _video('frame_extraction = "heads"', D + "frame_extraction", "'heads'", "did you mean 'head'?"),
    _video('frame_extraction = "HEAD"', D + "frame_extraction", "'HEAD'", "expected one of head, chunk, slide"),
    _video("frame_sample = 0", D + "frame_sample", "0", "must be 1 or more"),
    _video("max_frames = 0", D + "max_frames", "0", "must be 1 or more"),
    # layout
    _image('image_jsonl_file = "x.jsonl"', "datasets[0]", "image_jsonl_file", "keep one"),
    _image('video_directory = "x"', "datasets[0]", "video_directory", "make a second [[datasets]]"),
    _layout("nothing", "", "datasets", "none", "add a [[datasets]] section"),
    _layout("empty list", "datasets = []", "datasets", "none", "add a [[datasets]] section"),
    _layout("one bracket", '[datasets]\nimage_directory = "a"', "datasets", "[datasets]", "[[datasets]]"),
    _layout("a number", "datasets = [1]", "datasets[0]", "1", "written [[datasets]]"),
    _layout("general", f"general = 1\n{IMAGES.split(chr(10), 4)[-1]}", "general", "1", "written [general]"),
    _layout("stray", f"resolution = 64\n{IMAGES}", "resolution", "64", "put it under [general] or [[datasets]]"),
    _layout("stray of one kind", f"max_frames = 9\n{VIDEOS}", "max_frames", "9", "put it under [[datasets]]"),
    _layout("section", IMAGES.replace("[[datasets]]", "[[dataset]]"), "dataset", "dataset", "did you mean 'datasets'?"),
    _layout("foreign section", f"[train]\nlr = 1\n{IMAGES}", "train", "{'lr': 1}", "remove it"),
    _layout(
        "not general", IMAGES.replace("[[", "target_frames = [1]\n[["), "general.target_frames", "[1]",
        "put it under each [[datasets]]",
    ),
    _layout(
        "typing error in general", IMAGES.replace("[[", "batchsize = 1\n[["), "general.batchsize", "1",
        "did you mean 'batch_size'?",
    ),
    _layout("foreign in general", IMAGES.replace("[[", "lr = 1\n[["), "general.lr", "1", "remove it"),
    _layout("type in general", IMAGES.replace("[[", "batch_size = 0\n[["), "general.batch_size", "0", "1 or more"),
    _layout(
        "no extension", '[[datasets]]\nimage_directory = "a"', "datasets[0]", "no caption_extension",
        'add caption_extension = ".txt"',
    ),
    _layout("no source", GENERAL + "[[datasets]]\nbatch_size = 1", "datasets[0]", "batch_size", "add image_directory"),
)  # fmt: skip
