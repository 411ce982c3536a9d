"""Amounts as people type them into forms."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from .errors import Invalid
from .money import parse, positive

WITH_COMMAS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
LONGEST = 20
MOST_TYPED = Decimal("1000000.00")


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
        text = str(value or "").strip().removeprefix("$").strip()
        if not text:
            return None
        if WITH_COMMAS.fullmatch(text):
            text = text.replace(",", "")
        try:
            if len(text) > LONGEST:
                raise Invalid("That number is too long.", code="amount_format")
            amount = parse(text)
            amount = positive(amount) if self.positive else amount
        except Invalid as error:
            raise ValidationError(error.message, code=error.code) from None
        if amount > self.most:
            raise ValidationError(f"That is more than ${self.most:,.0f}.", code="amount_range")
        return amount
