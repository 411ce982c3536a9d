from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation

from port444.kit import sentences
from port444.kit.sentences import Day, Said, say, say_many

WORDS = {
    "That is more than %(amount)s.": (say("That is more than %(amount)s.", amount=Decimal("1234.50")), "Das ist mehr als 1.234,50\u00a0$."),
    "in %(city)s": (say("in %(city)s", city=Day(date(2026, 11, 24), "D j M")), "in Di, 24. Nov"),
    "%(at)s (%(city)s)": (
        say("%(at)s (%(city)s)", at=Day(datetime(2026, 11, 24, 4, 30, tzinfo=ZoneInfo("Europe/Amsterdam")), "D j M, H:i"), city="Amsterdam"),
        "Di, 24. Nov, 04:30 (Amsterdam)",
    ),
    "nested": (say("in %(city)s", city=say("Today")), "in Heute"),
    "number": (Said("%(count)s service", {"count": 2}, "%(count)s services", 2), "2 Leistungen"),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_sentence_is_said_in_the_language_of_whoever_reads_it(name: str) -> None:
    sentence, german = WORDS[name]
    again = sentences.read(json.loads(json.dumps(sentence.kept())))
    assert again == sentence
    with translation.override("de"):
        assert str(again) == german
    assert str(again) == str(sentence) != german


def test_a_number_chooses_its_words() -> None:
    assert [str(say_many("%(number)s day more", "%(number)s days more", number)) for number in (1, 2)] == ["1 day more", "2 days more"]
