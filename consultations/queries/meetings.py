"""Where calls can take place."""

from __future__ import annotations

from consultations.models import MeetingProvider
from port444.builders.models import Builder


def meeting_choices(builder: Builder) -> list[MeetingProvider]:
    """The meeting rooms that this builder can offer."""
    return [MeetingProvider.OWN_LINK]
