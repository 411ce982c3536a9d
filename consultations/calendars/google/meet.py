"""Who was in a room of Google Meet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from consultations.calendars.protocol import Refused
from consultations.meetings.protocol import Presence

from .account import Account, Keep, whole
from .events import moment, rfc
from .signin import MEET


@whole()
def meet_presence(credentials: Mapping[str, Any], keep: Keep, meeting_code: str, since: datetime, until: datetime) -> Sequence[Presence]:
    """Who was in the Meet room between the two moments, each session by itself. Raises CalendarError.

    Meet gives names and no addresses; the `email` is filled for the connected account alone, which Meet names by its number.
    Empty when the builder has not allowed us to look.
    """
    if MEET not in credentials.get("scopes", []):
        return []
    if not re.fullmatch(r"[a-z]{3}-[a-z]{4}-[a-z]{3}", meeting_code):
        raise Refused("not the code of a Meet room")
    account = Account(credentials, keep)
    asked = {"filter": f'space.meeting_code = "{meeting_code}" AND start_time <= "{rfc(until)}"', "pageSize": "100"}
    found = []
    for record in account.items("conferenceRecords", asked):
        if record.get("endTime") and moment(record["endTime"]) < since:
            continue
        for participant in account.items(f"{record['name']}/participants", {"pageSize": "250"}):
            signed_in = participant.get("signedinUser", {})
            person = signed_in or participant.get("anonymousUser") or participant.get("phoneUser") or {}
            is_account = bool(credentials.get("subject")) and signed_in.get("user") == f"users/{credentials['subject']}"
            for session in account.items(f"{participant['name']}/participantSessions", {"pageSize": "100"}):
                joined, left = moment(session["startTime"]), moment(session["endTime"]) if session.get("endTime") else None
                if joined < until and (left is None or left > since):
                    email = str(credentials.get("account", "")) if is_account else ""
                    found.append(Presence(session["name"], person.get("displayName", ""), email, joined, left))
    return sorted(found, key=lambda each: each.joined_at)
