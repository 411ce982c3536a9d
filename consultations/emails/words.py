"""How a call is spoken of: to whom, whose money goes where, what a cancellation brings back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.utils.translation import gettext as _

from consultations.models import (
    Back,
    Consultation,
    RefundPolicy,
)
from port444.kit.language import speaking_to
from port444.kit.moments import when
from port444.kit.money import fee, usd
from port444.kit.sentences import Said, say


@dataclass(frozen=True, slots=True)
class Words:
    """A title and a body: what happened, what comes next."""

    title: str
    body: str


def said_to[**P, R](reader: Callable[P, Any]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Words of a function are those of whom they are for; `reader` finds that person in its arguments."""

    def around(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def worded(*args: P.args, **options: P.kwargs) -> R:
            with speaking_to(reader(*args, **options)):
                return function(*args, **options)

        return worded

    return around


def quoted(words: str) -> str:
    return _("“%(text)s”") % {"text": words}


def zone_of(call: Consultation, reader: Any) -> str:
    return call.zone_of(reader)


def other_of(call: Consultation, reader: Any) -> Any:
    return call.other(reader)


def policy_words(policy: str, free: datetime | None, zone: str, moment: datetime) -> str:
    """What the client gets back for cancelling from `moment` on, in one sentence; `free` is until when it is everything."""
    half = policy == RefundPolicy.HALF
    if free is None:
        return _("Nothing back if you cancel")
    if free <= moment:
        return _("The free time is over: half back if you cancel") if half else _("The free time is over: nothing back if you cancel")
    until = {"until": when(free, zone)}
    if half:
        return _("Everything back if you cancel until %(until)s, half later") % until
    return _("Everything back if you cancel until %(until)s, nothing later") % until


def policy_of(call: Consultation, moment: datetime) -> str:
    """The refund policy of a call in the words of its client."""
    return policy_words(call.refund_policy, call.free_until, call.client_zone, moment)


def money_for(call: Consultation, reader: Any, back: Back) -> str:
    """Where the money of a call that does not take place goes, said to one side."""
    builder, client = call.builder.user.first_name, call.client.first_name
    kept = call.price - back.price
    yours = kept - fee(kept, call.builder_fee_bps)
    if reader.pk == call.client_id:
        if not back.total:
            return _("By the refund policy nothing goes back, and %(builder)s is paid.") % {"builder": builder}
        if not kept:
            return _("%(total)s goes back to where it came from, service fee included.") % {"total": usd(back.total)}
        return _("%(total)s goes back to where it came from: half the price and half the service fee. The rest of the price goes to %(builder)s.") % {
            "total": usd(back.total),
            "builder": builder,
        }
    if not kept:
        return _("%(client)s gets everything back, and you are not paid.") % {"client": client}
    share = _("%(share)s is yours: %(kept)s less the platform fee.") % {"share": usd(yours), "kept": usd(kept)}
    rest = _("%(amount)s goes back to %(name)s.") % {"amount": usd(back.total), "name": client}
    return f"{share} {rest}" if back.total else share


def money_notice(call: Consultation, back: Back) -> Said:
    """Where the money of a call that does not take place goes, said to both."""
    kept, client, builder = call.price - back.price, call.client.first_name, call.builder.user.first_name
    if back.total and kept:
        return say("%(amount)s goes back to %(client)s. %(kept)s goes to %(builder)s.", amount=back.total, client=client, kept=kept, builder=builder)
    if kept:
        return say("%(amount)s goes to %(name)s.", amount=kept, name=builder)
    return say("%(amount)s goes back to %(name)s.", amount=back.total, name=client)
