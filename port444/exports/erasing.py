"""What is left of a person who is made nameless, table by table: rows that go, columns that become neutral, and words in which their name
is replaced. What stays whole, and why, is in `KEPT`; a test looks for the name everywhere else.

In conditions `me` is the person and `t` the row, as in `holdings`; `{neutral}` and the like are parameters, see `parameters`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from port444.accounts.models import User

from .holdings import RELATIONS, condition

NAME = "Former member"
MESSAGE = "This message was removed with the account of whoever wrote it."
FILE = "removed"

LINKS = "SELECT z.id FROM consultations_calendarlink z WHERE z.builder_id IN ({shop})"
# Rows that go, in an order in which none is missed by another.
GONE = {
    "accounts_session": "t.user_id = {me}",
    "accounts_userdevice": "t.user_id = {me}",
    "accounts_apitoken": "t.user_id = {me}",
    "accounts_answeredcall": "t.user_id = {me}",
    "accounts_user_groups": "t.user_id = {me}",
    "accounts_user_user_permissions": "t.user_id = {me}",
    "accounts_queuedmail": "lower(t.to) IN ({addresses})",
    "account_emailconfirmation": "t.email_address_id IN (SELECT a.id FROM account_emailaddress a WHERE a.user_id = {me})",
    "account_emailaddress": "t.user_id = {me}",
    "mfa_authenticator": "t.user_id = {me}",
    "notifications_delivery": "t.notification_id IN (SELECT n.id FROM notifications_notification n WHERE n.user_id = {me})",
    "notifications_preference": "t.user_id = {me}",
    "notifications_quiethours": "t.user_id = {me}",
    "messaging_readmarker": "t.user_id = {me}",
    "favourites_favourite": "t.user_id = {me} OR t.builder_id IN ({shop})",
    "webhooks_webhookattempt": "t.delivery_id IN (SELECT w.id FROM webhooks_webhookdelivery w WHERE w.endpoint_id IN ({endpoints}))",
    "webhooks_webhookdelivery": "t.endpoint_id IN ({endpoints})",
    "webhooks_webhookendpoint": "t.user_id = {me}",
    "exports_personalcopy": "t.user_id = {me}",
    "payments_payoutaddress": "t.user_id = {me}",
    "payments_bankaccount": "t.user_id = {me}",
    "away_returnalert": "t.user_id = {me} OR t.builder_id IN ({shop})",
    "consultations_calendarfeed": "t.user_id = {me}",
    "consultations_calendarevent": "t.calendar_id IN ({calendars})",
    "consultations_externalevent": "t.builder_id IN ({shop})",
    "consultations_pushchannel": "t.calendar_id IN ({calendars})",
    "consultations_linkedcalendar": "t.id IN ({calendars})",
    "consultations_calendarlink": "t.builder_id IN ({shop})",
    "consultations_availabilityrule": "t.builder_id IN ({shop})",
    "consultations_dayoff": "t.builder_id IN ({shop})",
    "builders_portfoliopicture": "t.piece_id IN (SELECT w.id FROM builders_portfoliopiece w WHERE w.builder_id IN ({shop}))",
    "builders_portfoliopiece": "t.builder_id IN ({shop})",
    "catalog_savedsearch": "t.user_id = {me}",
    "catalog_term": "t.word IN (SELECT catalog_terms(u.name) FROM accounts_user u WHERE u.id = {me})",  # the search puts words right with them
}
# Files that were handed over as work or put forward in a dispute belong to the deal.
OF_A_DEAL = "SELECT f.attachment_id FROM orders_delivery_files f UNION ALL SELECT f.attachment_id FROM orders_evidence_files f"


@dataclass(frozen=True, slots=True)
class Blank:
    """Columns of a table that become something neutral."""

    table: str
    where: str
    columns: dict[str, str]


BLANK = (
    Blank(
        "accounts_user",
        "t.id = {me}",
        {
            "email": "%(email)s",
            "name": "%(name)s",
            "phone": "''",
            "password": "%(password)s",
            "last_login": "NULL",
            "time_zone": "'UTC'",
            "language": "'en'",
            "theme": "'system'",
            "is_active": "false",
            "suspended_at": "NULL",
            "suspension_reason": "''",
        },
    ),
    Blank(
        "builders_builder",
        "t.user_id = {me}",
        {
            "slug": "'former-' || replace(t.id::text, '-', '')",
            "headline": "%(name)s",
            "about": "''",
            "skills": "ARRAY[]::varchar[]",
            "languages": "ARRAY[]::varchar[]",
            "city": "''",
            "photo": "''",
            "consultation_enabled": "false",
            "consultation_calendar_url": "''",
            "meeting_url": "''",
            "away_message": "''",
        },
    ),
    Blank(
        "catalog_service",
        "t.builder_id IN ({shop})",
        {
            "title": "'Removed service'",
            "slug": "'removed-' || replace(t.id::text, '-', '')",
            "summary": "''",
            "description": "''",
            "tags": "ARRAY[]::varchar[]",
            "questions": "'[]'",
            "status": "'draft'",
            "market_due_at": "%(moment)s",
            "version": "t.version + 1",
        },
    ),
    Blank("catalog_package", "t.service_id IN ({services})", {"name": "initcap(t.tier)", "deliverables": "ARRAY[]::varchar[]"}),
    Blank("messaging_message", "t.author_id = {me}", {"body": "%(message)s"}),
    Blank(
        "messaging_attachment",
        f"t.owner_id = {{me}} AND t.id NOT IN ({OF_A_DEAL})",
        {"name": "%(file)s", "mimetype": "'application/octet-stream'", "sha256": "repeat('0', 64)"},
    ),
    Blank("messaging_report", "t.reporter_id = {me}", {"text": "''"}),
    Blank("messaging_personreport", "t.reporter_id = {me}", {"text": "''"}),
    Blank("notifications_notification", "t.user_id = {me}", {"title": "'Removed'", "body": "''", "url": "'/'", "context": "jsonb_build_object()"}),
    Blank("consultations_callsettings", "t.builder_id IN ({shop})", {"time_zone": "'UTC'"}),
    Blank("consultations_consultation", "t.client_id = {me}", {"client_notes": "''", "client_zone": "'UTC'"}),
    Blank(
        "consultations_consultation",
        "t.builder_id IN ({shop})",
        {"builder_notes": "''", "builder_zone": "'UTC'", "meeting_url": "''", "meeting_id": "''"},
    ),
    Blank("consultations_meetingroom", "t.consultation_id IN ({calls})", {"url": "''", "external_id": "''", "host": "''"}),
    Blank("away_span", "t.builder_id IN ({shop})", {"message": "''", "time_zone": "'UTC'"}),
)


@dataclass(frozen=True, slots=True)
class Words:
    """Columns in which the name, the addresses, the telephone number and the profile's address of the person are replaced wherever they
    stand. `generated`: the site wrote them, and calls people by their first name."""

    table: str
    where: str
    columns: str
    generated: str = "false"


AROUND = (
    "SELECT c.client_id FROM messaging_conversation c WHERE c.builder_id = {me} UNION "
    "SELECT c.builder_id FROM messaging_conversation c WHERE c.client_id = {me} UNION SELECT u.id FROM accounts_user u WHERE u.is_staff UNION "
    "SELECT r.user_id FROM away_returnalert r WHERE r.builder_id IN ({shop})"
)
WORDS = (
    Words("messaging_message", "t.conversation_id IN ({talks})", "body said", "t.kind = 'notice'"),
    Words("messaging_attachment", "t.conversation_id IN ({talks})", "name"),
    Words("messaging_report", "t.conversation_id IN ({talks})", "text"),
    Words("messaging_personreport", "t.person_id = {me}", "text"),
    Words("notifications_notification", f"t.user_id IN ({AROUND})", "title body url context", "true"),
    Words("webhooks_webhookdelivery", f"t.endpoint_id IN (SELECT h.id FROM webhooks_webhookendpoint h WHERE h.user_id IN ({AROUND}))", "body"),
    Words("accounts_answeredcall", f"t.user_id IN ({AROUND})", "answer"),
    Words("orders_order", "t.id IN ({orders})", "title cancel_reason"),
    Words("orders_requirement", "t.order_id IN ({orders})", "label answer"),
    Words("orders_delivery", "t.order_id IN ({orders})", "note"),
    Words("orders_revision", "t.order_id IN ({orders})", "note"),
    Words("orders_review", "t.author_id = {me} OR t.about_id = {me}", "text private_note reply"),
    Words("orders_reviewreport", "t.review_id IN (SELECT r.id FROM orders_review r WHERE r.author_id = {me} OR r.about_id = {me})", "text"),
    Words("orders_dispute", "t.order_id IN ({orders})", "claim answer decision"),
    Words("orders_parting", "t.order_id IN ({orders})", "reason answer"),
    Words("orders_offer", "t.client_id = {me} OR t.builder_id IN ({shop})", "title scope reason"),
    Words("amendments_amendment", "t.order_id IN ({orders})", "reason description answer"),
    Words("consultations_consultation", "t.id IN ({calls})", "client_notes builder_notes cancellation_reason"),
    Words("consultations_absence", "t.consultation_id IN ({calls})", "note dispute_note decision_note"),
    Words("consultations_proposal", "t.consultation_id IN ({calls})", "note"),
    Words("away_duemove", "t.order_id IN ({orders})", "objection"),
    Words("support_viewing", "t.subject_id = {me}", "reason"),
)
LAW, PROOF, CASES, SHORT = (
    "books and documents that the law has kept for years, with the names that stood on them",
    "written once, by whatever way, so that it proves what happened",
    "inquiries against abuse, and what they came to: needed where claims are made or answered",
    "forgotten by itself within a day",
)
# What may still name the person, and why. Nothing else may.
KEPT = {
    "audit_log": PROOF,
    "audit_find": PROOF,
    "audit_leaves": PROOF,
    "cache": SHORT,
    "detector_memory": CASES,
    "detector_version": CASES,
    "django_q_task": SHORT,
    "incident_alert": CASES,
    "incident_event": CASES,
    "incident_log": CASES,
    "incident_suppression": CASES,
    "orders_evidence": PROOF,
    "payments_compensation": LAW,
    "payments_credit": LAW,
    "payments_creditentry": LAW,
    "payments_invoice": LAW,
    "payments_invoiceline": LAW,
    "payments_journalentry": LAW,
    "payments_providerevent": LAW,
    "payments_withdrawal": LAW,
    "support_plan": PROOF,
    "support_supportaction": PROOF,
    "support_threadopening": PROOF,
    "support_viewedpage": PROOF,
}


def email_of(person: User) -> str:
    """The address of somebody nameless, which nobody can have: `.invalid` is reserved for that."""
    return f"former-{person.pk.hex}@erased.invalid"


def is_nameless(person: User) -> bool:
    return person.email == email_of(person)


def known_as(person: User) -> list[str]:
    """What names the person, as patterns of PostgreSQL, the longest first, so that no part of another is left."""
    with connection.cursor() as cursor:
        cursor.execute(condition(RELATIONS["addresses"]), {"me": person.pk})
        names = {_whole(email, any_case=True) for (email,) in cursor.fetchall()}
        cursor.execute("SELECT '/b/' || slug FROM builders_builder WHERE user_id = %s", [person.pk])
        names |= {_whole(address) for (address,) in cursor.fetchall()}
    # Many a name is a word as well, of which only the one with a capital is meant.
    names |= {_whole(name, any_case=" " in name) for name in (person.name, person.phone) if name.strip()}
    return sorted(names, key=len, reverse=True)


def files_of(person: User) -> list[str]:
    """Where the bytes of the files lie that go."""
    sent = f"FROM messaging_attachment t WHERE t.owner_id = {{me}} AND t.file <> '' AND t.name <> %(file)s AND t.id NOT IN ({OF_A_DEAL})"
    drawn = "'previews/' || t.conversation_id || '/' || t.id"
    query = (
        f"SELECT t.file {sent} UNION ALL SELECT {drawn} {sent} AND t.preview = 'ready' "
        f"UNION ALL SELECT {drawn} || '-small' {sent} AND t.preview = 'ready' "
        "UNION ALL SELECT b.photo FROM builders_builder b WHERE b.user_id = {me} AND b.photo <> '' "
        "UNION ALL SELECT p.file FROM builders_portfoliopicture p JOIN builders_portfoliopiece w ON w.id = p.piece_id WHERE w.builder_id IN ({shop}) "
        "UNION ALL SELECT 'copies/' || c.id || '.zip' FROM exports_personalcopy c WHERE c.user_id = {me} AND c.status = 'ready'"
    )
    with connection.cursor() as cursor:
        cursor.execute(condition(query), {"me": person.pk, "file": FILE})
        return [name for (name,) in cursor.fetchall()]


def statements(person: User) -> Iterator[tuple[str, str]]:
    """The table and the statement, in their order: first what names the person in the words of others, while it is known who they are."""
    for words in WORDS:
        yield words.table, _replacing(words)
    for table, where in GONE.items():
        yield table, f"DELETE FROM {table} t WHERE {condition(where)}"
    for blank in BLANK:
        values = ", ".join(f'"{column}" = {condition(value)}' for column, value in blank.columns.items())
        yield blank.table, f"UPDATE {blank.table} t SET {values} WHERE {condition(blank.where)}"


def _replacing(words: Words) -> str:
    pattern = f"CASE WHEN {words.generated} THEN %(generated)s ELSE %(written)s END"
    values, any_of = [], []
    for column in words.columns.split():
        if column == "said":  # what is left of its words stands in `body`; names in a sentence are no text in which one could replace
            values.append('"said" = NULL')
            any_of.append(f't."said"::text ~ ({pattern})')
            continue
        is_json = column == "context"
        text = f't."{column}"::text' if is_json else f't."{column}"'
        new = f"regexp_replace({text}, {pattern}, %(name)s, 'g')"
        values.append(f'"{column}" = ({new}){"::jsonb" if is_json else ""}')
        any_of.append(f"{text} ~ ({pattern})")
    return f"UPDATE {words.table} t SET {', '.join(values)} WHERE ({condition(words.where)}) AND ({' OR '.join(any_of)})"


def parameters(person: User, names: Sequence[str], password: str, moment: Any) -> Mapping[str, Any]:
    written = "|".join(names)
    first = person.first_name
    return {
        "me": person.pk,
        "name": NAME,
        "email": email_of(person),
        "message": MESSAGE,
        "file": FILE,
        "password": password,
        "moment": moment,
        "written": written,
        "generated": f"{written}|{_whole(first)}" if first else written,
    }


def _whole(name: str, *, any_case: bool = False) -> str:
    """A pattern of PostgreSQL for the name that is no part of a longer word."""
    return f"(?<![[:alnum:]]){''.join(_letter(c, any_case=any_case) for c in name)}(?![[:alnum:]])"


def _letter(letter: str, *, any_case: bool) -> str:
    if any_case and letter.lower() != letter.upper() and len(letter.lower() + letter.upper()) == 2:
        return f"[{letter.lower()}{letter.upper()}]"
    return letter if letter.isalnum() or letter.isspace() else f"\\{letter}"
