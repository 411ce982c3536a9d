"""One thing that happened, as detectors see it: read from a row of the audit log, or from a line of somebody's file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

DAY = 86_400  # seconds
MONTH = 30 * DAY  # of a file, in each of which facts come person by person
MICRO = 1_000_000  # amounts are remembered in millionths, whole numbers that JSON keeps

# What the application records, and what detectors call it. Files may use either name.
KINDS = {
    "user.signed_up": "sign_up",
    "auth.login": "sign_in",
    "auth.login_failed": "sign_in_failed",
    "auth.password_changed": "password_changed",
    "auth.email_changed": "email_changed",
    "auth.second_factor_changed": "second_factor_changed",
    "payout_address.added": "payout_address_added",
    "bank_account.added": "payout_address_added",
    "payment_method.added": "payment_method_added",
    "payment.wallet_chosen": "payment_method_added",
    "order.paid": "order_paid",
    "order.completed": "order_completed",
    "order.cancelled": "order_cancelled",
    "earning.credited": "escrow_release",  # and not escrow.released, which stands beside it for the same money
    "withdrawal.requested": "withdrawal",
    "withdrawal.cancelled": "withdrawal_ended",
    "withdrawal.failed": "withdrawal_ended",
    "amendment.completed": "amendment_completed",
    "dispute.opened": "dispute_opened",
    "refund.completed": "refund",
    "payment.failed": "payment_failed",
    "order.reviewed": "review",
    "viewing.started": "viewing_started",
    "credit.issued": "credit_issued",
    "plan.approved": "plan_approved",
    "incident.closed": "incident_closed",
    "user.suspended": "suspended",
    "user.reinstated": "reinstated",
}
WORDS = frozenset(KINDS.values())

# What detectors read of each beside its columns, as the application writes it down. Of names in one tuple one is there.
READS: dict[str, tuple[tuple[str, ...], ...]] = {
    "sign_up": (("identity_verified",), ("registered_agency",), ("fingerprint",)),
    "sign_in": (("fingerprint",),),  # and `country`, where a trusted proxy knows it
    "sign_in_failed": (("email",),),
    "email_changed": (("change",),),
    "payout_address_added": (("payout_hash",),),
    "payment_method_added": (("card_fingerprint", "wallet_hash"),),
    "order_paid": (("builder_id",),),
    "order_completed": (("client_id",), ("builder_id",), ("seconds_since_accept",)),
    "order_cancelled": (("client_id",), ("builder_id",), ("before_work",), ("cause",)),
    "escrow_release": (("client",), ("subject",)),
    "withdrawal": (("balance_before",),),
    "withdrawal_ended": (("user",),),
    "amendment_completed": (("order",), ("client",), ("builder",), ("original_amount",), ("seconds_to_answer",)),
    "dispute_opened": (("order",), ("client",), ("builder",)),
    "refund": (("payer",), ("builder_id",), ("order",), ("purpose",), ("settled",)),
    "payment_failed": (("payer",), ("card_fingerprint",)),
    "review": (("client_id",), ("builder_id",), ("stars",)),
    "viewing_started": (("about",),),
    "credit_issued": (("user",),),
    "plan_approved": (("requester",),),
    "incident_closed": (("status",), ("people",)),
}
# What only files say, in whose place the application has something else, or nothing yet.
ONLY_FILES = frozenset({"scheduled", "against"})
# Written down where it is known, or found in a column of its own.
SOMETIMES = frozenset({"country", "on_behalf_of"})
PEOPLE = frozenset({"", "user", "builder", "client", "freelancer", "customer"})  # types of actors whose doings are their own


class Fact(NamedTuple):
    """Who did what to whom, when and from where. Ids are words; `second` is the moment in seconds since 1970."""

    at: datetime
    second: int
    kind: str
    actor: str
    actor_type: str
    target: str
    target_type: str
    ip: str  # as links are kept: one address of IPv4, one /64 of IPv6, empty when it says nothing about anybody
    device: str
    amount: Decimal | None
    meta: Mapping[str, Any]
    event: str  # the row's own number, or the line of the file

    @property
    def micro(self) -> int:
        """The amount in millionths; 0 when there is none."""
        return int(self.amount * MICRO) if self.amount is not None else 0

    @property
    def doer(self) -> str:
        """By whom facts are read together: who did it, of money who earned it, and of what nobody did whom or what it is about."""
        return self.target if self.kind == "escrow_release" else self.actor or self.target

    @property
    def person(self) -> str:
        """Who did it themselves; empty for staff, for the system, and for what was done through somebody else's eyes."""
        return self.actor if self.actor_type in PEOPLE and not self.meta.get("on_behalf_of") else ""


def kind_of(event_type: str) -> str:
    """What detectors call it; empty for what none of them reads."""
    return event_type if event_type in WORDS else KINDS.get(event_type, "")


# Addresses that are given out anew in every network: whoever has one of these came through a proxy that did not say for whom.
HOME = [
    IPv4Network("0.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("224.0.0.0/3"),
]
HOME6 = [IPv6Network(net) for net in ("::/127", "fc00::/7", "fe80::/10", "ff00::/8")]


def network(text: str) -> str | None:
    """What of an address tells people apart: all of IPv4, the first 64 bits of IPv6. Empty for private ones, None for what is none."""
    try:
        found = ip_address(text.strip().strip("[]").split("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped
        if inner is None:
            return "" if any(found in net for net in HOME6) else f"{IPv6Address(int(found) >> 64 << 64)}/64"
        found = inner
    return "" if any(found in net for net in HOME) else str(found)


def said(meta: Mapping[str, Any], *names: str) -> str:
    """The first of these that somebody wrote something under, as a word."""
    for name in names:
        value = meta.get(name)
        if value not in (None, "", [], {}) and not isinstance(value, bool):
            return str(value)
    return ""


NO = frozenset({"", "0", "false", "no", "none", "null", "f", "n", "off", "pending", "failed", "unverified", "rejected"})


def yes(value: Any) -> bool:
    """Whether a fact of any spelling says yes."""
    return value if isinstance(value, bool) else str(value).strip().lower() not in NO if value is not None else False


def address_hash(fact: Fact) -> str:
    return said(fact.meta, "address_hash", "payout_hash", "wallet_hash", "address")


def card_hash(fact: Fact) -> str:
    return said(fact.meta, "card_fingerprint", "card_hash", "wallet_hash", "fingerprint")


def fingerprint(fact: Fact) -> str:
    return said(fact.meta, "fingerprint", "fp", "browser_fingerprint")


def parties(fact: Fact) -> tuple[str, str]:
    """Client and builder of an order, a release or a credited earning; each empty when the fact does not say."""
    builder = said(fact.meta, "builder_id", "builder")
    client = said(fact.meta, "client_id", "client")
    if fact.kind == "escrow_release" and not builder and fact.target_type in ("", "user", "builder", "freelancer"):
        builder = fact.target
    if not client and fact.person and fact.person != builder:
        client = fact.person
    return client, builder


def order_of(fact: Fact) -> str:
    return said(fact.meta, "order_id", "order", "subject") or (fact.target if fact.target_type == "order" else "")
