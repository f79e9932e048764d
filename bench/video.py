"""Decoding and encoding beside PyAV and OpenCV (if they are installed) and beside a plain pipe from ffmpeg, on the same
file."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from bench.common import Row, told

from musubi_nodes.media.encode import EncodeRequest, encode
from musubi_nodes.media.ffmpeg import executable
from musubi_nodes.media.formats import formats
from musubi_nodes.media.frames import VideoFile, source_of
from musubi_nodes.media.probe import probe

WIDTH, HEIGHT, CRF = 832, 480, 16
ENCODED = 60
"""Frames: encoding is slow."""
PACKAGES = {"PyAV": ("av", "av"), "OpenCV": ("cv2", "opencv-python-headless")}
"""What a way needs: its module, and the name to install it by."""
Way = Callable[[Path], Any]


def measure(folder: Path, quick: bool) -> Iterator[Row]:
    """The best of several turns, each way once in every turn, so that all meet the same machine."""
    clip, turns = folder / "clip.mp4", 2 if quick else 5
    source = ["-f", "lavfi", "-i", f"mandelbrot=size={WIDTH}x{HEIGHT}:rate=24"]
    options = ["-frames:v", "96" if quick else "240", "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p"]
    subprocess.run([executable(), "-v", "error", *source, *options, str(clip)], check=True)
    frames, missing = VideoFile(clip).frames(), _missing()
    decoders = {name: way for name, way in DECODERS.items() if name not in missing}
    for way in decoders.values():
        assert np.array_equal(way(clip), frames)  # all give the same, bit for bit
    yield from _looked_at(clip)
    yield from _compared("decoding 480p H.264", decoders, clip, len(frames), turns, limit=100)
    encoders = {name: _bound(way, frames[:ENCODED]) for name, way in ENCODERS.items() if name not in missing}
    yield from _compared("encoding 480p H.264", encoders, folder, ENCODED, turns)


def _missing() -> set[str]:
    """The ways whose package is not there; each is told."""
    missing = {name: package for name, (module, package) in PACKAGES.items() if not find_spec(module)}
    for name, package in missing.items():
        print(f"(left out: {name}; pip install {package})", flush=True)
    return set(missing)


def _looked_at(clip: Path) -> Iterator[Row]:
    """What a file costs once, before it is decoded: its facts are kept."""
    copy = clip.with_name("copy.mp4")
    copy.write_bytes(clip.read_bytes())
    start = time.perf_counter()
    probe(copy)
    yield Row("looking at a new file of 480p", time.perf_counter() - start, "s")


def _compared(
    what: str, ways: Mapping[str, Way], target: Path, frames: int, turns: int, limit: float | None = None
) -> Iterator[Row]:
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(turns):
        for name, way in ways.items():
            start = time.perf_counter()
            way(target)
            best[name] = min(best[name], time.perf_counter() - start)
    ours = best.pop("this pack")
    for name, seconds in best.items():
        yield Row(what, frames / ours, "fps", anchor=f"{told(frames / seconds, 'fps')}, {name}")
        if name in PACKAGES:
            yield Row(f"the same, our time of {name}'s", 100 * ours / seconds, "%", limit)


def _ours(clip: Path) -> Any:
    return VideoFile(clip).frames()


def _pyav(clip: Path) -> Any:
    """As fast as PyAV goes: all threads, one array for all frames."""
    import av

    frames = np.empty((probe(clip).frames, HEIGHT, WIDTH, 3), np.float32)
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for number, frame in enumerate(container.decode(video=0)):
            np.divide(frame.to_ndarray(format="rgb24"), np.float32(255), out=frames[number])
    return frames


def _opencv(clip: Path) -> Any:
    """Frame by frame from BGR to RGB to float, gathered while they come: how VideoHelperSuite's loader reads a file
    (load_video_nodes.py, with torch for the division)."""
    import cv2

    def pictures() -> Iterator[Any]:
        video = cv2.VideoCapture(str(clip))
        while video.grab():
            rgb = cv2.cvtColor(video.retrieve()[1], cv2.COLOR_BGR2RGB).astype(np.float32)
            yield np.divide(rgb, np.float32(255), out=rgb)
        video.release()

    return np.fromiter(pictures(), np.dtype((np.float32, (HEIGHT, WIDTH, 3))))


def _pipe(clip: Path) -> Any:
    """A pipe from ffmpeg, read frame by frame and stacked, as widely used loaders do."""
    command = [executable(), "-v", "error", "-i", str(clip), "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        found = []
        while raw := process.stdout.read(WIDTH * HEIGHT * 3):
            picture = np.frombuffer(raw, np.uint8).reshape(HEIGHT, WIDTH, 3)
            found.append(picture.astype(np.float32) / np.float32(255))
    return np.stack(found)


def _encode_ours(folder: Path, frames: Any) -> None:
    form = formats()["mp4-h264"]
    worst, best = form.quality or (0, 0)
    encode(source_of(frames, 24), EncodeRequest(form, round(100 * (CRF - worst) / (best - worst))), folder)


def _encode_pyav(folder: Path, frames: Any) -> None:
    import av

    with av.open(str(folder / "pyav.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": str(CRF), "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in frames:
            rgb = np.clip(np.rint(picture * np.float32(255)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())


def _encode_pipe(folder: Path, frames: Any) -> None:
    command = [executable(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}"]
    command += ["-r", "24", "-i", "-", "-c:v", "libx264", "-crf", str(CRF), "-pix_fmt", "yuv420p", "pipe.mp4"]
    rgb = np.clip(np.rint(frames * np.float32(255)), 0, 255).astype(np.uint8)
    subprocess.run(command, input=rgb.tobytes(), cwd=folder, check=True)


def _bound(way: Any, frames: Any) -> Way:
    return lambda folder: way(folder, frames)


DECODERS: dict[str, Way] = {"this pack": _ours, "PyAV": _pyav, "OpenCV": _opencv, "a plain pipe": _pipe}
ENCODERS: dict[str, Any] = {"this pack": _encode_ours, "PyAV": _encode_pyav, "a plain pipe": _encode_pipe}
