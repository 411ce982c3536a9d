"""What calls say to somebody who reads German, wherever it was written before they came to read it."""

from __future__ import annotations

import pytest
from django.utils import translation
from django.utils.functional import Promise

from consultations import emails, ical, queries
from consultations.models import CalendarProvider, Consultation
from consultations.models import words as kept
from port444.accounts.models import User

GOOGLE = CalendarProvider.GOOGLE.label


@pytest.mark.parametrize(
    ("kind", "why", "english", "german"),
    [
        (kept.CLOSED, "", "Google Calendar does not let us in any more.", "Google Kalender lässt uns nicht mehr hinein."),
        (kept.BUSY, "", "Google Calendar asks us to wait.", "Google Kalender bittet uns zu warten."),
        (kept.BROKEN, "", "Google Calendar did not answer properly.", "Google Kalender hat nicht richtig geantwortet."),
        (kept.REFUSED, "no 100% (404)", "Google Calendar refused: no 100% (404)", "Google Kalender hat abgelehnt: no 100% (404)"),
        (
            kept.REFUSED,
            "The event is not there.",
            "Google Calendar refused: The event is not there.",
            "Google Kalender hat abgelehnt: Der Eintrag ist nicht da.",
        ),
    ],
)
def test_why_a_calendar_fails_is_kept_in_english_and_read_in_german(kind: Promise, why: str, english: str, german: str) -> None:
    with translation.override("de"):
        assert kept.failure(kind, GOOGLE, why) == english
        assert kept.said_failure(english, GOOGLE) == german
    assert kept.said_failure(english, GOOGLE) == english


def test_what_nobody_knows_is_read_as_it_stands() -> None:
    with translation.override("de"):
        assert kept.said_failure("", GOOGLE) == ""
        assert kept.said_failure("Google Calendar refused: ", GOOGLE) == "Google Calendar refused: "
        assert kept.in_words("I am ill.") == "I am ill."
        assert kept.in_words(kept.TAKEN_BACK) == "Zurückgenommen."


def test_a_moment_for_both_is_said_as_each_of_them_writes_dates(scheduled: Consultation) -> None:
    moment = emails.both_clocks(scheduled.scheduled_at, scheduled)
    assert str(moment) == "Tue 24 Nov, 04:30 (Amsterdam), Tue 24 Nov, 09:00 (Kolkata)"
    with translation.override("de"):
        assert str(moment) == "Di, 24. Nov, 04:30 (Amsterdam), Di, 24. Nov, 09:00 (Kolkata)"


def test_what_happened_is_told_with_the_verb_of_whom_it_names(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    with translation.override("de"):
        mine, theirs = (queries.timeline(scheduled, reader)[0] for reader in (client_user, builder_user))
    assert (mine.who, mine.text.partition(",")[0]) == ("Sie", "haben Di")
    assert (theirs.who, theirs.text.partition(",")[0]) == ("Jonas", "hat Di")
    assert mine.text.endswith("bezahlt")


def test_an_invitation_is_in_the_language_of_whom_it_invites(scheduled: Consultation, client_user: User, builder_user: User) -> None:
    client_user.language = "de"
    german, english = (ical.calendar(scheduled, reader).decode().replace("\r\n ", "") for reader in (client_user, builder_user))
    assert "SUMMARY:Gespräch: Jonas Vermeer und Anaya Krishnan" in german
    assert "Di\\, 24. Nov 2026\\, 04:30 bis 05:00 in Amsterdam" in german
    assert "Ihr Gespräch beginnt bald" in german
    assert "SUMMARY:Call: Jonas Vermeer and Anaya Krishnan" in english
