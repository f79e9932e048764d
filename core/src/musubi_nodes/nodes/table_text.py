"""The text of a file that a spreadsheet or an editor wrote, whatever encoding it chose."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from musubi_nodes.errors import MusubiError

LARGEST = 20_000_000
"""Bytes of a prompt file."""
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
KANA = re.compile("[\u3041-\u30fa]")
FOREIGN = re.compile(r"[^\W\d_a-zA-Z]{4}")
"""Four letters in a row that are not of ASCII: no language that Windows-1252 serves writes so."""


def text_of(path: Path) -> tuple[str, str]:
    """The text, and the name of an encoding that was guessed ("" where the file says it).

    Excel writes CSV in the encoding of the country, and "Unicode text" as UTF-16. Guessed are those of Japanese, which
    nearly always has kana, and of western Europe, which has single letters beyond ASCII; a :class:`MusubiError` where
    neither fits, because prompts in wrong letters would be painted.
    """
    data = _read(path)
    encoding = "utf-16" if data.startswith(UTF16) else "utf-8-sig"
    try:
        return data.decode(encoding), ""
    except UnicodeDecodeError as error:
        if (japanese := _decoded(data, "cp932")) and KANA.search(japanese):
            return japanese, "Shift-JIS"
        if (western := _decoded(data, "cp1252")) and not FOREIGN.search(western):
            return western, "Windows-1252"
        raise MusubiError(f"{path} is not UTF-8: {error}", fix="Save it as UTF-8.") from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise MusubiError(f"{path} is larger than {LARGEST // 1_000_000} MB", fix="Split it into several files.")
        return path.read_bytes()
    except OSError as error:
        raise MusubiError(f"{path} cannot be read: {error}", fix="Check its permissions.") from error


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""
