"""Files of Hugging Face that fit a field of a models node: what is offered for download comes from here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubFile:
    """The file ``path`` of a repository of models."""

    repository: str
    path: str

    @property
    def name(self) -> str:
        """What it is called in ComfyUI's folder."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.repository}/resolve/main/{self.path}"


def hub_files(repository: str, folder: str, *names: str) -> tuple[HubFile, ...]:
    """Files of one folder of a repository."""
    return tuple(HubFile(repository, f"{folder}/{name}" if folder else name) for name in names)
