"""What staff type to refund."""

from __future__ import annotations

from typing import Any

from django import forms

from port444.kit.amounts import AmountField
from port444.kit.money import usd
from port444.orders.actions import fee_left
from port444.orders.models import LIVE, Order
from port444.payments.escrow import Deal
from port444.payments.refunding import room
from support.actions.plans import About
from support.actions.refunds import FIXED_WHY, NO_AMOUNT, WHAT, WHY

from .plans import PlanForm


class RefundForm(PlanForm):
    """About an order, or about a builder whose withdrawal went out in part."""

    needs = ()
    optional = ("order", "person")
    intro = (
        "Money comes out of escrow while it is there, then out of the builder's balance, and the platform bears the rest. It goes back to where "
        "it was paid from, and what credits had paid goes back as credits."
    )
    FIELD_OF = {
        **PlanForm.FIELD_OF,
        "what": "what",
        "why": "why",
        "order_missing": "order",
        **dict.fromkeys(("amount_zero", "amount_format", "amount_range", "amount_places"), "amount"),
    }

    use_required_attribute = False  # what has to be said depends on what it is for

    what = forms.ChoiceField(label="What for", choices=list(WHAT.items()), initial="scope")
    amount = AmountField(label="How much, USDC", required=False, error_messages={"required": "Say how much."})
    why = forms.ChoiceField(
        label="What the credit note says",
        required=False,
        choices=[("", "Choose"), *((key, words) for key, words in WHY.items() if key not in FIXED_WHY.values())],
        help_text="Both sides read it.",
        error_messages={"required": "Choose what the credit note says."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        order = self.found["order"]
        kind = (self.data if self.is_bound else kwargs["given"]).get("what", "scope")
        self.fields["why"].required = kind not in FIXED_WHY
        self.fields["amount"].required = kind not in FIXED_WHY and kind not in NO_AMOUNT
        self.fields["order"].required = self.found["person"] is None
        if order is not None:
            self.fields["amount"].help_text = _most(order)
            del self.fields["person"]
            self.found.pop("person")
        else:
            self.fields["person"].label = "Or the builder of a withdrawal that went out in part"

    def clean(self) -> dict[str, Any]:
        said = super().clean()
        if said.get("what") in FIXED_WHY:
            return said
        if not said.get("order") and "order" not in self.errors:
            self.add_error("order", "Say which order.")
        return said

    def about(self) -> About:
        order = self.found["order"]
        return About(target_user=order.client if order is not None else self.found.get("person"), order=order)


def _most(order: Order) -> str:
    if order.status in LIVE:
        return f"The price is {usd(order.price)}. Goodwill is the service fee, {usd(order.client_fee)}, as long as the order runs."
    there = room(Deal("order", order.pk, order.client_id, order.builder.user_id), fee_left(order))
    return f"{usd(there.released)} of the price was released and has not gone back; goodwill is at most {usd(there.cash + there.fee)}."
