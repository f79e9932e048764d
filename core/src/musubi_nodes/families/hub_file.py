"""Files on Hugging Face to offer for download."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubFile:
    repository: str
    path: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.repository}/resolve/main/{self.path}"


def hub_files(repository: str, folder: str, *names: str) -> tuple[HubFile, ...]:
    return tuple(HubFile(repository, f"{folder}/{name}" if folder else name) for name in names)
