"""The reader's language: which one it is, and how dates and numbers look in it. How words are marked: docs/languages.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import dateformat, formats, translation
from django.utils.functional import Promise
from django.utils.translation import gettext

# Forms of dates are written as English has them: "D j M, H:i". Where another language puts signs between the parts, it says so here.
SIGNS: dict[str, tuple[tuple[re.Pattern[str], str], ...]] = {
    "de": ((re.compile(r"(?<=[Dl]) (?=[jd])"), ", "), (re.compile(r"(?<=[jd]) (?=[MF])"), ". ")),
}


def known(code: str) -> str:
    """`code` if the site speaks it, else the language that it always speaks."""
    return code if code in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


@contextmanager
def speaking_to(person: Any) -> Iterator[None]:
    """Inside, words are those of `person`, whoever asked for the page. Put it around whatever is worded for somebody in particular.

    A document that has a `language` is spoken to as a person is.
    """
    with translation.override(known(person.language)):
        yield


def worded(value: Any) -> Any:
    """`value` with every lazy text in it, at whatever depth, said in the active language: what JSON can keep."""
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, dict):
        return {str(name): worded(inner) for name, inner in value.items()}
    return [worded(inner) for inner in value] if isinstance(value, list | tuple) else value


@cache
def _form(form: str, code: str) -> str:
    for sign, other in SIGNS.get(code, ()):
        form = sign.sub(other, form)
    return form


def form_of(form: str) -> str:
    """A form of a date as the active language writes it: "D j M" is "D, j. M" in German."""
    return _form(form, translation.get_language() or settings.LANGUAGE_CODE)


def dated(moment: date, form: str) -> str:
    """A date, or a moment on the clock that it is on, in the active language: "Tue 24 Nov, 11:00" for "D j M, H:i"."""
    return dateformat.format(moment, form_of(form))


def within(label: object) -> str:
    """A label inside a sentence: English begins it small, while German writes its nouns as they are."""
    return str(label).lower() if translation.get_language() == "en" else str(label)


def retold(text: str) -> str:
    """What the site itself keeps in English (`gettext_noop`), in the reader's language. What somebody typed stays as it is."""
    return gettext(text) if text else ""


def number(value: Decimal | int, places: int = 0) -> str:
    """A number as people read it: "1,234.50", in German "1.234,50"."""
    plain = f"{value:,.{places}f}"
    thousand, decimal = formats.get_format("THOUSAND_SEPARATOR"), formats.get_format("DECIMAL_SEPARATOR")
    return plain if decimal == "." else plain.translate({ord(","): thousand, ord("."): decimal})
