"""Sentences that are kept before anybody knows who reads them: in what language, and so how dates and amounts look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext

from .language import dated
from .money import usd


class Day(NamedTuple):
    """A date inside a sentence, e.g. Day(on, "D j M"), or a moment on the clock that it is on."""

    on: date
    form: str


@dataclass(frozen=True)
class Said(Promise):
    """A sentence and what is filled into it; `str` says it in the active language. An amount is a Decimal and is said as money."""

    text: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
    many: str = ""
    number: int = 0

    def __str__(self) -> str:
        pattern = ngettext(self.text, self.many, self.number) if self.many else gettext(self.text)
        return pattern % {name: _shown(fact) for name, fact in self.facts.items()}

    def kept(self) -> dict[str, Any]:
        """The sentence as JSON; `read` makes it again."""
        plural = {"many": self.many, "number": self.number} if self.many else {}
        return {"text": self.text, **plural, "facts": {name: _kept(fact) for name, fact in self.facts.items()}}


type Fact = str | int | Decimal | Day | Said


def say(text: str, **facts: Fact) -> Said:
    """A sentence for whoever will read it: say("%(name)s paid %(amount)s.", name=name, amount=amount). Its words are found where it is called."""
    return Said(text, facts)


def say_many(one: str, many: str, number: int, **facts: Fact) -> Said:
    """The same with a number in it, `%(number)s`, by which the words differ."""
    return Said(one, {"number": number, **facts}, many, number)


def plain(text: str | Said) -> str:
    """As staff, programs and the log read it: in English."""
    with translation.override(settings.LANGUAGE_CODE):
        return str(text)


def read(kept: Mapping[str, Any]) -> Said:
    """The sentence of `Said.kept`."""
    facts = {name: _read(fact) for name, fact in kept["facts"].items()}
    return Said(kept["text"], facts, kept.get("many", ""), kept.get("number", 0))


def _shown(fact: Fact) -> str:
    if isinstance(fact, Day):
        return dated(fact.on, fact.form)
    return usd(fact) if isinstance(fact, Decimal) else str(fact)


def _kept(fact: Fact) -> Any:
    if isinstance(fact, Said):
        return fact.kept()
    if isinstance(fact, Day):
        return {"on": fact.on.isoformat(), "form": fact.form}
    return {"amount": str(fact)} if isinstance(fact, Decimal) else fact


def _read(fact: Any) -> Fact:
    if not isinstance(fact, dict):
        return fact if isinstance(fact, int) else str(fact)
    if "on" in fact:
        return Day((datetime if "T" in fact["on"] else date).fromisoformat(fact["on"]), fact["form"])
    return Decimal(fact["amount"]) if "amount" in fact else read(fact)
