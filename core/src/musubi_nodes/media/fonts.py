"""Chooses a font that has a text's letters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

NAMES = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "NotoSansJP-Regular.ttf", "NotoSansJP-Regular.otf",
    "NotoSansJP[wght].ttf", "SourceHanSans-Regular.ttc", "SourceHanSansJP-Regular.otf", "ipaexg.ttf", "ipag.ttf",
    "TakaoGothic.ttf", "TakaoPGothic.ttf", "VL-Gothic-Regular.ttf", "fonts-japanese-gothic.ttf", "YuGothM.ttc",
    "meiryo.ttc", "msgothic.ttc", "msyh.ttc", "malgun.ttf", "ヒラギノ角ゴシック W3.ttc", "Hiragino Sans GB.ttc",
    "PingFang.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf", "wqy-microhei.ttc", "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "NotoSerifCJK-Regular.ttc", "NotoSerifCJK-Bold.ttc",
    "DejaVuSans.ttf", "arial.ttf", "Arial.ttf",
)  # fmt: skip
MISSING = "\uffff"  # drawn as a font's box


def font_for(text: str, size: int) -> Any:
    """Return the font with most letters; Pillow's if it has all."""
    letters = frozenset(text)
    fonts = _fonts(size)
    best = next(fonts)
    for font in fonts:
        if not (gaps := _gaps(best, letters)):
            break
        if _gaps(font, letters) < gaps:
            best = font
    return best


def drawable(text: str, font: Any) -> str:
    """Replace missing letters by "?"; "" if over a third are."""
    shown = "".join(letter if has_letter(font, letter) else "?" for letter in text)
    lost = sum(a != b for a, b in zip(text, shown, strict=True))
    return "" if lost * 3 > len(text) else shown


@lru_cache(maxsize=1 << 15)
def has_letter(font: Any, letter: str) -> bool:
    if letter.isspace():
        return True
    try:
        return bytes(font.getmask(letter)) not in (bytes(font.getmask(MISSING)), b"")
    except UnicodeEncodeError:  # old Pillow's bitmap font has only Latin-1
        return False


def _gaps(font: Any, letters: Iterable[str]) -> int:
    return sum(not has_letter(font, letter) for letter in letters)


def _fonts(size: int) -> Iterator[Any]:
    yield _own(size)
    for path in _files():
        with suppress(OSError):  # not really a font
            yield _loaded(path, size)


@cache
def _own(size: int) -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(size)
    except TypeError:  # Pillow before 10.1 has one small bitmap font only
        return ImageFont.load_default()


@cache
def _loaded(path: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


@cache
def _files() -> tuple[str, ...]:
    found: dict[str, str] = {}
    for folder in _folders():
        for place, _, names in os.walk(folder):
            for name in names:
                if name in NAMES:
                    found.setdefault(name, os.path.join(place, name))  # noqa: PTH118 - as os.walk gives it
    return tuple(found[name] for name in NAMES if name in found)


def _folders() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", "C:/Windows"), "Fonts")
        yield home / "AppData" / "Local" / "Microsoft" / "Windows" / "Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts")
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
        yield from (home / ".local" / "share" / "fonts", home / ".fonts")
