"""Our copies of calls in connected calendars, and what those say when asked."""

from __future__ import annotations

from datetime import datetime

from consultations.models import Consultation
from consultations.slots import Span
from port444.builders.models import Builder


def live_busy(builder: Builder, since: datetime, until: datetime) -> list[Span]:
    """What the builder's calendars say now of [since, until), without our own calls. Talks to a network: never in a transaction."""
    return []


def want_copies(consultation: Consultation, moment: datetime) -> None:
    """Say that the builder's calendar should show the call as it now stands, or not at all."""
