"""Keeps secrets out of every file: their values are blotted out of what a child prints, before anything sees it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

SHORTEST = 8
"""Shorter values are no real tokens, and blotting them out would garble the log."""

_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS)(?:$|_)", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Whether an environment variable's name says that its value is a secret."""
    return bool(_SECRET_NAME.search(name))


def secret_values(environment: Mapping[str, str], names: Collection[str] = ()) -> list[bytes]:
    """The values of variables that are named like secrets (WANDB_API_KEY, HF_TOKEN) or in ``names``, longest first."""
    secret = {value for name, value in environment.items() if name in names or is_secret(name)}
    encoded = (value.encode("utf-8", "surrogateescape") for value in secret if len(value) >= SHORTEST)
    return sorted(encoded, key=len, reverse=True)


class Mask:
    """Replaces each secret by as many ``*``; holds back only an end that could be the beginning of one."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may be shown so far."""
        if not self._secrets:
            return chunk
        data = self._held + chunk
        for secret in self._secrets:
            data = data.replace(secret, b"*" * len(secret))
        held = max(_overlap(data, secret) for secret in self._secrets)
        self._held = data[len(data) - held :]
        return data[: len(data) - held]

    def finish(self) -> bytes:
        """What was held back at the end of the stream."""
        rest, self._held = self._held, b""
        return rest


def _overlap(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of ``data`` are a beginning of ``secret``."""
    for size in range(min(len(secret) - 1, len(data)), 0, -1):
        if data.endswith(secret[:size]):
            return size
    return 0
