"""No provider: the site shows prices and takes no money."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from port444.payments.models import Payment, Refund, Withdrawal

from .protocol import Answer, Outcome, Refused, Report

CLOSED = gettext_lazy("Payments are not open here yet. Nothing was taken.")


class Nobody:
    name = "none"
    label = gettext_lazy("No payment")
    text = ""

    def require(self) -> None:
        raise Refused(str(CLOSED), code="payments_closed")

    def create(self, payment: Payment) -> Answer:
        raise Refused(str(CLOSED), code="payments_closed")

    def fetch(self, payment: Payment) -> Report:
        return Report(Outcome.PENDING)

    def expire(self, payment: Payment) -> Report:
        return Report(Outcome.EXPIRED)

    def refund(self, refund: Refund) -> str:
        raise Refused("There is no payment provider to send this back with.", code="payments_closed")

    def payout(self, withdrawal: Withdrawal) -> str:
        raise Refused("There is no payment provider to send this with.", code="payments_closed")
