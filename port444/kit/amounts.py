"""Amounts as people type them into forms."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import get_format
from django.utils.translation import gettext as _

from .errors import Invalid
from .money import parse, positive, usd

WITH_COMMAS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
# Where the comma stands before the cents. Three digits after one point are thousands: as decimals they would be refused.
WITH_POINTS = re.compile(r"[0-9]{1,3}(\.[0-9]{3})+(,[0-9]*)?|[0-9]*,[0-9]*")
LONGEST = 20
MOST_TYPED = Decimal("1000000.00")


def plain(text: str) -> str:
    """An amount as it is typed in the active language, as `money.parse` reads it: without signs between thousands, and with a point."""
    if get_format("DECIMAL_SEPARATOR") == "," and WITH_POINTS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text.replace(",", "") if WITH_COMMAS.fullmatch(text) else text


class AmountField(forms.Field):
    """An amount with at most two decimals; an error, never a rounding."""

    widget = forms.TextInput

    def __init__(self, *, positive: bool = False, most: Decimal = MOST_TYPED, **options: Any) -> None:
        self.positive, self.most = positive, most
        super().__init__(**options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {"inputmode": "decimal", "autocomplete": "off", "maxlength": LONGEST}

    def prepare_value(self, value: Any) -> Any:
        return f"{value:.2f}" if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Decimal | None:
        text = str(value or "").strip().strip("$").strip()
        if not text:
            return None
        text = plain(text)
        try:
            if len(text) > LONGEST:
                raise Invalid(_("That number is too long."), code="amount_format")
            amount = parse(text)
            amount = positive(amount) if self.positive else amount
        except Invalid as error:
            raise ValidationError(error.message, code=error.code) from None
        if amount > self.most:
            raise ValidationError(_("That is more than %(amount)s.") % {"amount": usd(self.most, 0)}, code="amount_range")
        return amount
