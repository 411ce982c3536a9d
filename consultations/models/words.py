"""What the site itself writes into rows: kept in English, said in the language of whoever reads it."""

from __future__ import annotations

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

ACCOUNT_CLOSED = "The account of the builder was closed before the call."
OFF_THE_CALENDAR = "The call was taken off the builder’s calendar, and nobody said that it takes place."
OPPOSITE, TAKEN_BACK = "The other side says the opposite.", "Taken back."
CUT_OFF = "The calendar did not answer properly."
OURS = {
    ACCOUNT_CLOSED: _("The account of the builder was closed before the call."),
    OFF_THE_CALENDAR: _("The call was taken off the builder’s calendar, and nobody said that it takes place."),
    OPPOSITE: _("The other side says the opposite."),
    TAKEN_BACK: _("Taken back."),
    CUT_OFF: _("The calendar did not answer properly."),
}

# Why a calendar fails, by what its provider answered.
CLOSED, BUSY, BROKEN, REFUSED = (
    _("%(name)s does not let us in any more."),
    _("%(name)s asks us to wait."),
    _("%(name)s did not answer properly."),
    _("%(name)s refused: %(why)s"),
)


def in_words(row: str) -> str:
    """A reason or a note: the site's own in the active language, a person's as they wrote it."""
    return str(OURS.get(row, row))


def failure(kind: Promise, provider: Promise | str, why: object = "") -> str:
    """The sentence of a row, of 300 characters at most; `provider` is a label."""
    with override(settings.LANGUAGE_CODE):
        return _failed(kind, provider, why)[:300]


def said_failure(row: str, provider: Promise | str) -> str:
    """What `failure` has written, in the active language."""
    for kind in (CLOSED, BUSY, BROKEN):
        if row == failure(kind, provider):
            return _failed(kind, provider)
    start = failure(REFUSED, provider)
    why = row.removeprefix(start)
    return _failed(REFUSED, provider, gettext(why)) if row.startswith(start) and why else in_words(row)


def _failed(kind: Promise, provider: Promise | str, why: object = "") -> str:
    return str(kind) % {"name": provider, "why": why}
