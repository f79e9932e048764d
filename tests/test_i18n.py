"""What nodes say comes in the reader's language, and only while that is known."""

from __future__ import annotations

from threading import Thread

import pytest

from musubi_nodes.families.context import Context
from musubi_nodes.families.generating.workers import WorkerContext, side_by_side
from musubi_nodes.hosts.texts import Texts
from musubi_nodes.i18n import translate, translating
from musubi_nodes.runs.record.progress import Progress
from musubi_nodes.testing.workplace import Workplace

GERMAN = {"{count} frames of {name}": "{name} hat {count} Bilder"}


def in_german(sentence: str) -> str:
    return GERMAN.get(sentence, sentence)


def test_a_translation_has_its_own_order_of_words() -> None:
    with translating(in_german):
        assert translate("{count} frames of {name}", count=3, name="{cat}") == "{cat} hat 3 Bilder"
    assert translate("{count} frames of {name}", count=3, name="a") == "3 frames of a"


def test_what_is_not_translated_stays_english() -> None:
    with translating(in_german):
        assert translate("{count} items", count=2) == "2 items"


@pytest.mark.parametrize("wrong", ["{nome} Bilder", "{count:x.y} Bilder", "{count} {", "{0} Bilder", "{count.real.x}"])
def test_a_wrong_translation_ends_no_run(wrong: str) -> None:
    with translating(lambda _: wrong):
        assert translate("{count} frames", count=3) == "3 frames"


def test_a_name_that_came_from_elsewhere_is_no_template() -> None:
    assert Progress("caching {cats} {0}", 1, 2).text() == "caching {cats} {0} 1/2"


def test_another_thread_knows_no_reader() -> None:
    told: list[str] = []
    with translating(str.upper):
        thread = Thread(target=lambda: told.append(translate("done")))
        thread.start()
        thread.join()
        assert (translate("done"), told) == ("DONE", ["done"])


def test_workers_speak_the_language_of_their_node(musubi_workplace: Workplace) -> None:
    def work(number: int, own: WorkerContext) -> None:
        own.show(text=translate("done"))

    context = Context(musubi_workplace.host, musubi_workplace.services)
    with translating(str.upper):
        side_by_side(context, ["cuda:0", "cuda:1"], work)
    assert context.texts == ["DONE", "DONE"]


def test_the_line_of_a_running_node_is_told_in_japanese() -> None:
    now = Progress("training", 120, 800, rate=1.9, seconds_left=358, loss=0.0831, epoch=3, epochs=16)
    with translating(Texts("ja").of(table="messages")):
        assert now.text() == "学習中 120/800 · エポック 3/16 · loss 0.0831 · 1.90 it/s · 残り 5:58"
