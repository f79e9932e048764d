"""Sentences in the language that the user has chosen for ComfyUI's page."""

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
    """What is said within, and the causes and remedies of what is raised, as far as they are translated."""
    chosen = cache(lambda: _translator(node))  # the setting is read for the first sentence: most calls say nothing
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
    """The page's own setting, which the server keeps for its only user (app_settings.py, ComfyUI 0.3.64); English
    where the server has several users, or the language is none of ours."""
    import folder_paths

    from musubi_nodes.hosts.texts import ENGLISH, LANGUAGES

    settings = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
    chosen = read_json(settings).get("Comfy.Locale")
    return chosen if chosen in LANGUAGES else ENGLISH
