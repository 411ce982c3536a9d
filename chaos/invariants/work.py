"""What people were promised, what may not stand still, and what went out to others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from .check import Check, none_of, rows, value

# Which states of a thing are at or after the one that was confirmed to somebody.
ORDER = ("pending_payment", "pending_requirements", "in_progress", "delivered")
AFTER: dict[str, dict[str, tuple[str, ...] | None]] = {
    "order": {
        "pending_payment": (*ORDER, "funding", "in_revision", "completed", "cancelled", "expired"),
        "pending_requirements": ("pending_requirements", "in_progress", "delivered", "in_revision", "completed", "cancelled"),
        "in_progress": ("in_progress", "delivered", "in_revision", "completed", "cancelled"),
        "delivered": ("delivered", "in_revision", "completed", "cancelled"),
        "completed": ("completed",),
        "cancelled": ("cancelled",),
    },
    "amendment": {
        "pending": None,
        "approved": ("approved", "paid", "funding", "funding_failed", "completed", "refunded", "expired"),
        "completed": ("completed",),
    },
    "dispute": {
        "open": None,
        "escalated": ("escalated", "decided", "settled", "withdrawn"),
        "settled": ("settled",),
        "decided": ("decided",),
    },
    "call": {
        "scheduled": ("scheduled", "completed", "no_show", "cancelled", "rescheduled"),
        "cancelled": ("cancelled",),
        "rescheduled": ("rescheduled",),
    },
}
TABLES = {"order": "orders_order", "amendment": "amendments_amendment", "dispute": "orders_dispute", "call": "consultations_consultation"}
WORDS = {
    "order": "orders as far as they were confirmed",
    "amendment": "changes as far as they were confirmed",
    "dispute": "disputes as far as they were confirmed",
    "call": "calls as far as they were confirmed",
}
OVERLAPS = """
SELECT a.consultation_id AS call, b.consultation_id AS other FROM consultations_slotclaim a JOIN consultations_slotclaim b
ON a.id < b.id AND (a.builder_id = b.builder_id OR a.client_id = b.client_id) AND a.busy && b.busy
WHERE a.status <> 'released' AND b.status <> 'released'
"""
ROOMS_OF = "SELECT chain::text, status FROM consultations_consultation WHERE status = 'scheduled'"


def checks(facts: Mapping[str, Any]) -> Iterator[Check]:
    promises = facts["promises"]
    for kind in AFTER:
        yield reached(kind, [one for one in promises if one["kind"] == kind])
    yield from existing(promises)
    yield none_of("no two calls overlap", "consultations_slotclaim", OVERLAPS)
    yield rooms(facts["rooms"])
    yield Check(
        "no two events of ours at one time in the builder's calendar",
        sum(facts["events"].values()),
        [f"{times} at {when}" for when, times in facts["events"].items() if times > 1],
    )
    yield from mails(facts["mails"])
    yield from webhooks(facts["heard"])


def reached(kind: str, promises: list[dict[str, Any]]) -> Check:
    found = {row["id"]: row["status"] for row in rows(f"SELECT id::text, status FROM {TABLES[kind]}")}
    check = Check(WORDS[kind], len(promises))
    for one in promises:
        allowed = AFTER[kind][one["reached"]]
        status = found.get(one["id"])
        if status is None or (allowed is not None and status not in allowed):
            check.wrong.append(f"{kind} {one['id']} was {one['reached']} and is {status or 'lost'}")
    check.note = f"{len({one['id'] for one in promises})} {kind}s"
    return check


def existing(promises: list[dict[str, Any]]) -> Iterator[Check]:
    of = {kind: [one for one in promises if one["kind"] == kind] for kind in {one["kind"] for one in promises}}
    said = {row["id"]: row["body"] for row in rows("SELECT id::text, body FROM messaging_message")}
    wrong = [f"message {one['id']}" for one in of.get("message", []) if said.get(one["id"]) != one["body"]]
    yield Check("messages that were confirmed are there, word for word", len(of.get("message", [])), wrong)
    paid = {row["id"]: str(row["amount"]) for row in rows("SELECT id::text, amount FROM payments_payment WHERE status = 'succeeded'")}
    wrong = [f"payment {one['id']} of {one['amount']}" for one in of.get("payment", []) if paid.get(one["id"]) != one["amount"]]
    yield Check("payments that were confirmed have arrived", len(of.get("payment", [])), wrong)
    pressed = {row["id"]: row["status"] for row in rows("SELECT id::text, status FROM payments_payment")}
    wrong = [f"payment {one['id']} is {pressed.get(one['id'])}" for one in of.get("pressed", []) if pressed.get(one["id"]) != "succeeded"]
    yield Check("what was approved in a wallet was taken", len(of.get("pressed", [])), wrong)
    out = {row["id"]: str(row["amount"]) for row in rows("SELECT id::text, amount FROM payments_withdrawal WHERE status = 'completed'")}
    wrong = [f"withdrawal {one['id']} of {one['amount']}" for one in of.get("withdrawal", []) if out.get(one["id"]) != one["amount"]]
    yield Check("withdrawals that were confirmed have arrived", len(of.get("withdrawal", [])), wrong)
    people = {row["email"] for row in rows("SELECT email FROM accounts_user")}
    yield Check("who signed up is there", len(of.get("person", [])), [one["id"] for one in of.get("person", []) if one["id"] not in people])
    plans = {row["id"] for row in rows("SELECT id::text FROM support_plan WHERE status = 'executed'")}
    yield Check(
        "credits that support gave were given", len(of.get("credit", [])), [one["id"] for one in of.get("credit", []) if one["id"] not in plans]
    )
    reviewed = {row["id"] for row in rows("SELECT order_id::text AS id FROM orders_review")}
    yield Check(
        "reviews that were written are there", len(of.get("review", [])), [one["id"] for one in of.get("review", []) if one["id"] not in reviewed]
    )
    twice = rows("SELECT client_id, client_key, count(*) AS times FROM orders_order GROUP BY 1, 2 HAVING count(*) > 1")
    unknown = Counter(one["id"] for one in of.get("order", []) if one["reached"] == "pending_payment")
    made = int(value("SELECT count(*) FROM orders_order"))
    note = f"{made} orders, {len(unknown)} of them confirmed as placed"
    yield Check("no order twice for one press", made, [str(row) for row in twice] + ([note] if made < len(unknown) else []), note)


def rooms(found: Mapping[str, int]) -> Check:
    """At Zoom there is one meeting at most for a call, and none for a call that is over."""
    wanted = {f"port444 call {row['chain']}" for row in rows(ROOMS_OF)}
    wrong = [f"{times} meetings for {head}" for head, times in found.items() if times > 1]
    wrong += [f"a meeting for {head}, which is not booked" for head in found if head not in wanted]
    return Check("at most one room for a call, none for a call that was cancelled", len(found), wrong)


def mails(taken: Mapping[str, Mapping[str, int]]) -> Iterator[Check]:
    """`taken`: by Message-ID how often it was handed over and to how many people."""
    domain = settings.MAIL_DOMAIN
    sent = {f"<{row['id']}@{domain}>" for row in rows("SELECT id::text FROM notifications_delivery WHERE channel = 'email' AND status = 'sent'")}
    sent |= {f"<account-{row['id']}@{domain}>" for row in rows("SELECT id::text FROM accounts_queuedmail WHERE sent_at IS NOT NULL")}
    yield Check("each mail that counts as sent has arrived", len(sent), sorted(sent - set(taken)))
    again = sum(one["times"] - 1 for one in taken.values())
    wrong = [message for message, one in taken.items() if one["to"] != 1]
    told = "SELECT notification_id, count(*) AS times FROM notifications_delivery WHERE channel = 'email' GROUP BY 1 HAVING count(*) > 1"
    wrong += [str(row) for row in rows(told)]
    yield Check("no mail under two ids, or to two people", len(taken), wrong, f"{again} handed over again under the same id, which a mailbox drops")


def webhooks(heard: Mapping[str, Mapping[str, int]]) -> Iterator[Check]:
    """`heard`: by path and event the number of different bodies."""
    asked = "SELECT d.event_id, d.status, e.url FROM webhooks_webhookdelivery d JOIN webhooks_webhookendpoint e ON e.id = d.endpoint_id"
    found = {(path_of(row["url"]), f"evt_{row['event_id'].hex}"): row["status"] for row in rows(asked)}
    delivered = [key for key, status in found.items() if status == "delivered"]
    wrong = [f"{event} to {path}" for path, event in delivered if event not in heard.get(path, {})]
    later = sum(status in ("pending", "sending") for status in found.values())
    yield Check("each webhook that counts as delivered was heard", len(delivered), wrong, f"{later} wait for a later try" if later else "")
    wrong = [f"{event} to {path} with {bodies} bodies" for path, events in heard.items() for event, bodies in events.items() if bodies > 1]
    wrong += [f"{event} to {path} is not in the books" for path, events in heard.items() for event in events if (path, event) not in found]
    yield Check("no event under two ids or with two bodies, none that is unknown", sum(map(len, heard.values())), wrong)


def path_of(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2]
