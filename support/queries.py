"""What people type into the console's fields, found out."""

from __future__ import annotations

import re
from uuid import UUID

from auditlog.search import What, Who
from port444.accounts.models import User
from port444.orders.models import Order
from port444.payments.models import Invoice

ORDER = re.compile(r"(?:p4-|#)?(\d{1,9})", re.IGNORECASE)
HASH = re.compile(r"0x[0-9a-f]{64}", re.IGNORECASE)


def who(said: str) -> tuple[tuple[Who, UUID | str], ...]:
    """The ways in which a row of the log can be of the person whose id or e-mail this is; acting for somebody counts for both."""
    try:
        key = UUID(said)
    except ValueError:
        email = said.lower()
        people = list(User.objects.filter(email__iexact=said).values_list("pk", flat=True)[:1])
        # The address that the log has is the one of then; somebody who has a new one is found by both.
        named: list[tuple[Who, UUID | str]] = [("actor_email", email)]
        return (*named, *(("actor_id", pk) for pk in people), *(("on_behalf_of", pk) for pk in people))
    return (("actor_id", key), ("on_behalf_of", key))


def what(said: str) -> tuple[tuple[What, UUID | str], ...]:
    """The ways in which a row of the log can be about this: an id of anything, a request, a number, an address or a hash on the chain.
    Empty when it is none of these."""
    try:
        key = UUID(said)
    except ValueError:
        pass
    else:
        return (("target_id", key), ("request_id", key))
    if HASH.fullmatch(said):
        return (("transaction_hash", said.lower()),)
    found: list[UUID] = []
    if number := ORDER.fullmatch(said):
        found += Order.objects.filter(number=int(number[1])).values_list("pk", flat=True)
    found += Invoice.objects.filter(number=said.upper()).values_list("pk", flat=True)[:1]
    found += User.objects.filter(email__iexact=said).values_list("pk", flat=True)[:1]
    return tuple(("target_id", pk) for pk in found)
