"""Masks secrets in a child's output."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote, quote_plus

from musubi_nodes.config import is_secret

SHORTEST = 8  # shorter values are no tokens, and masking them would garble the log

LOSSLESS = "surrogateescape"

_IN_URL = re.compile(r"\w://(?:[^/\s@:]*:)?([^/\s]+)@")  # ``http://me:password@proxy:8080``, or a token alone


def without_secrets(environment: Mapping[str, str], names: Collection[str] = ()) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name not in names and not is_secret(name) and not _IN_URL.search(value)
    }


def secret_values(environment: Mapping[str, str], names: Collection[str] = ()) -> list[bytes]:
    """List secrets in all spellings, longest first."""
    left_out = environment.keys() - without_secrets(environment, names).keys()
    found = {spelled for name in left_out for text in _texts(environment[name]) for spelled in _spellings(text)}
    encoded = {text.encode("utf-8", LOSSLESS) for text in found}
    return sorted(encoded, key=lambda text: (-len(text), text))


def _texts(value: str) -> Iterator[str]:
    found = _IN_URL.findall(value) or [value, *value.splitlines()]
    yield from (text for text in found if len(text) >= SHORTEST)


def _spellings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(json.dumps(text))[3:-3]
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(text.encode("utf-8", LOSSLESS))[2:-1]
    yield html.escape(text)
    yield text.replace("'", "'\"'\"'")
    for quoted in (quote(text, errors=LOSSLESS), quote(text, "", errors=LOSSLESS), quote_plus(text, errors=LOSSLESS)):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)


class Mask:
    """Replaces secrets by ``*``; holds back a possible beginning of one."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._held, self._shown = b"", b""

    def feed(self, chunk: bytes) -> bytes:
        if not self._secrets:
            return chunk
        data, shown = self._held + chunk, bytearray(self._shown + chunk)
        for secret in self._secrets:
            start = data.find(secret)
            while start >= 0:
                shown[start : start + len(secret)] = b"*" * len(secret)
                start = data.find(secret, start + 1)
        ready = len(data) - max(_overlap(data, secret) for secret in self._secrets)
        self._held, self._shown = data[ready:], bytes(shown[ready:])
        return bytes(shown[:ready])

    def finish(self) -> bytes:
        rest, self._held, self._shown = self._shown, b"", b""
        return rest


def masked(data: bytes, secrets: list[bytes]) -> bytes:
    mask = Mask(secrets)
    return mask.feed(data) + mask.finish()


def _overlap(data: bytes, secret: bytes) -> int:
    start = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while start >= 0:
        if secret.startswith(data[start:]):
            return len(data) - start
        start = data.find(secret[:1], start + 1)
    return 0
