"""Messages in the language chosen in ComfyUI's settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from musubi_nodes.errors import MusubiError
from musubi_nodes.families.node import Node
from musubi_nodes.files import read_json
from musubi_nodes.i18n import Translate, translating


@contextmanager
def in_the_users_language(node: type[Node]) -> Iterator[None]:
    chosen = cache(lambda: _translator(node))  # read lazily: most calls translate nothing
    with translating(lambda sentence: chosen()(sentence)):
        try:
            yield
        except MusubiError as error:
            error.translate = chosen()
            raise


def _translator(node: type[Node]) -> Translate:
    from musubi_nodes.hosts.texts import ENGLISH, Texts

    language = chosen_language()
    return str if language == ENGLISH else Texts(language).of(node, "messages")


def chosen_language() -> str:
    """Return the language in ``Comfy.Locale``, else English.

    The file is that of a server with one user (app_settings.py, 0.3.64).
    """
    import folder_paths

    from musubi_nodes.hosts.texts import ENGLISH, LANGUAGES

    settings = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
    chosen = read_json(settings).get("Comfy.Locale")
    return chosen if chosen in LANGUAGES else ENGLISH
