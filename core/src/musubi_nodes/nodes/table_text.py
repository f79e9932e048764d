"""Text files of spreadsheets and editors, in any encoding."""

from __future__ import annotations

import codecs
import io
import re
from pathlib import Path

from musubi_nodes.budget import spend
from musubi_nodes.errors import MusubiError
from musubi_nodes.files import PROMPTS, NotUsable, read_bytes

LONGEST_LINE = 20_000
"""Bytes; patterns are searched per line."""
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
KANA = re.compile("[\u3041-\u30fa]")
ALPHABETS = (
    "âäçéèêëîïñôöü",  # English, in words from elsewhere
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüßé",  # German
    "áéíñóúü",  # Spanish
    "àáâãçéêíóôõúü",  # Portuguese
    "àèéìîòù",  # Italian
    "àçèéíïòóúü",  # Catalan
    "áèéêëíïóöúü",  # Dutch
    "æøåéèêòôó",  # Danish and Norwegian
    "åäöéü",  # Swedish and Finnish
)
"""Non-ASCII letters that occur together in one language.

Icelandic is missing: its þ, ð and ý are Turkish letters in Windows-1254.
"""
LETTER = "[A-Za-zÀ-ÖØ-öø-ÿŒœŠšŽžŸ]"
MARKS = re.compile(
    r"°(?=[CF]\b)"
    rf"|(?<!{LETTER})[«»]|[«»](?!{LETTER})|(?<=m)[²³](?!{LETTER})|®(?!{LETTER})"
)
"""Signs that may touch a letter."""
FOREIGN = re.compile(rf"{LETTER}[¡-¿]|[¡-¿]{LETTER}|[^\W\d_a-zA-Z]{{3}}")
"""Letter sequences of other encodings (Windows-1250, Russian, ...)."""


def text_of(path: Path) -> tuple[str, str]:
    """Read a file; return its text and the guessed encoding, "" if declared.

    Japanese is recognised by its kana, western Europe by its alphabets. Raises if neither fits.
    """
    data = _read(path)
    encoding = "utf-16" if data.startswith(UTF16) else "utf-8-sig"
    try:
        return data.decode(encoding), ""
    except UnicodeDecodeError as error:
        if (japanese := _decoded(data, "cp932")) and KANA.search(japanese):
            return japanese, "Shift-JIS"
        if (western := _decoded(data, "cp1252")) and _is_western(western):
            return western, "Windows-1252"
        raise MusubiError(
            "file-not-utf8",
            f"{path} is not UTF-8: {error}",
            why="Its encoding cannot be determined, and wrong letters would be painted.",
            fix="Save it as UTF-8. In Excel: Save As, file type 'CSV UTF-8'.",
        ) from error


def _is_western(text: str) -> bool:
    lines = [line for line in text.split("\n") if not line.isascii()]
    letters: set[str] = set()
    for line in lines:
        spend()
        letters |= {letter for letter in {*line.lower()} if letter.isalpha() and not letter.isascii()}
    if not any(letters <= {*alphabet} for alphabet in ALPHABETS):
        return False
    return not any(map(_is_foreign, lines))


def _is_foreign(line: str) -> bool:
    """Search one line, because a search blocks other threads."""
    spend()
    return bool(FOREIGN.search(MARKS.sub(" ", _without_spanish_marks(line))))


def _without_spanish_marks(line: str) -> str:
    for first, last in (("¡", "!"), ("¿", "?")):
        before, mark, after = line.rpartition(last)
        line = f"{before.replace(first, ' ')}{mark}{after}"
    return line


def _read(path: Path) -> bytes:
    try:
        data = read_bytes(path, PROMPTS)
    except NotUsable as error:
        raise MusubiError(
            "file-unreadable", f"{path} cannot be read: {error}", fix="Split it into several files."
        ) from error
    except OSError as error:
        raise MusubiError("file-unreadable", f"{path} cannot be read: {error}", fix="Check its permissions.") from error
    if any(len(line) > LONGEST_LINE for line in io.BytesIO(data)):
        raise MusubiError(
            "line-too-long",
            f"{path} has a line that is longer than {LONGEST_LINE:,} bytes",
            fix="Give each prompt a line of its own.",
        )
    return data


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""
