"""Which ffmpeg is taken, and what is said of one that is too old."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from musubi_nodes.hosts.terminal import doctor
from musubi_nodes.media import ffmpeg
from musubi_nodes.media.formats import encoder_options, formats
from musubi_nodes.testing.errors import fails


@pytest.mark.parametrize(
    ("version", "major"),
    [("4.2.2-static", 4), ("7.0.2-static", 7), ("n9.0.2-17-g2a571b6068", 9), ("5.1.9-0+deb12u1", 5), ("7.1", 7),
     ("N-112-gabc", 0), ("git-2024-01-01", 0), ("2024-01-01-git", 0), ("", 0)],
)  # fmt: skip
def test_the_major_version_of_releases_is_known(version: str, major: int) -> None:
    assert ffmpeg.major(version) == major


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that says what ``says.txt`` beside it holds, in the place of ffmpeg."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!{sys.executable}\nprint(open({str(tmp_path / 'says.txt')!r}).read())\n")
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    forget()
    return tmp_path / "says.txt"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    forget()


def forget() -> None:
    ffmpeg.found.cache_clear()
    ffmpeg.encoders.cache_clear()


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
@pytest.mark.parametrize(
    ("version", "taken"), [("4.2.2-static", False), ("6.1", False), ("7.0.2", True), ("N-1-g1", True)]
)
def test_an_ffmpeg_that_is_too_old_is_refused(other: Path, version: str, taken: bool) -> None:
    other.write_text(f"ffmpeg version {version} Copyright")
    if taken:
        assert ffmpeg.executable() == str(other.with_name("ffmpeg"))
    else:
        with fails("ffmpeg-too-old", version, "imageio-ffmpeg>=0.6"):
            ffmpeg.executable()


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_the_doctor_tells_one_that_is_too_old(other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other.write_text("ffmpeg version 4.2.2-static Copyright")
    assert doctor.examine(tmp_path) == 1 and "!! ffmpeg: " in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_of_two_encoders_the_one_that_this_ffmpeg_has_is_used(other: Path) -> None:
    listed = "ffmpeg version 7.1\nEncoders:\n V..... = Video\n ------\n"
    form = formats()["webm-av1"]
    other.write_text(listed + " V....D libaom-av1   AV1\n V..... libx264    H.264\n")
    assert encoder_options(form) == form.otherwise
    other.write_text(listed + " V....D libsvtav1   AV1\n V....D libaom-av1   AV1\n")
    ffmpeg.encoders.cache_clear()
    assert encoder_options(form) == form.video
    other.write_text(listed)
    ffmpeg.encoders.cache_clear()
    with fails("encoder-missing", "webm-av1", "libaom-av1"):
        encoder_options(form)


@pytest.mark.parametrize(("version", "old"), [("0.4.9", True), ("0.5.1", True), ("0.6.0", False), ("0.10.0", False)])
def test_at_the_start_an_old_package_is_told(monkeypatch: pytest.MonkeyPatch, version: str, old: bool) -> None:
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    monkeypatch.setattr(metadata, "version", lambda name: version)
    assert (version in ffmpeg.too_old()) == old
