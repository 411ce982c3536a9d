"""The work tabs in the header of the console. A part of the console adds its tab by a line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tab:
    """`key` is the `section` of its pages, `queue` the key of the queue whose number stands beside it (see `queues`)."""

    key: str
    label: str
    url: str
    permission: str = ""
    queue: str = ""


TABS = (
    Tab("home", "Home", "support:home"),
    Tab("incidents", "Incidents", "support:incidents", "see_incidents", "incidents"),
    Tab("plans", "Approvals", "support:plans", "see_people", "approvals"),
    Tab("audit", "Audit", "support:audit", "read_audit"),
    Tab("words", "Words", "support:words", "edit_words"),
    Tab("records", "Records", "admin:index"),
)
