"""The shape of what people send about money."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.http import QueryDict

from port444.kit.amounts import AmountField
from port444.kit.money import MOST

from .providers.sandbox import Decision, Manner


class WalletForm(forms.Form):
    """The test wallet: the button that was pressed, and how the wallet should behave."""

    decision = forms.ChoiceField(choices=[(d.value, d.value) for d in Decision])
    manner = forms.ChoiceField(
        label="How should the wallet answer?",
        choices=[
            (Manner.AT_ONCE.value, "At once"),
            (Manner.LATE.value, "After 20 seconds"),
            (Manner.TWICE.value, "Twice"),
            (Manner.SILENT.value, "Not at all: port444 has to ask"),
        ],
        required=False,
        initial=Manner.AT_ONCE.value,
        widget=forms.RadioSelect,
    )

    @property
    def choice(self) -> Decision:
        return Decision(self.cleaned_data["decision"])

    @property
    def behaviour(self) -> Manner:
        return Manner(self.cleaned_data["manner"] or Manner.AT_ONCE)


class WithdrawForm(forms.Form):
    """How much to withdraw; `client_key` makes pressing twice one withdrawal."""

    amount = AmountField(positive=True, most=MOST)
    client_key = forms.UUIDField(widget=forms.HiddenInput)


class AddressForm(forms.Form):
    """Where withdrawals go."""

    address = forms.CharField(
        label="Wallet address",
        max_length=60,
        help_text="0x and 40 digits or letters. Copy it from your wallet and compare the ends: what is sent cannot be called back.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
    )


class KeyForm(forms.Form):
    """Where the next page of a list begins."""

    before = forms.UUIDField(required=False)

    @classmethod
    def key(cls, data: QueryDict) -> UUID | None:
        """The key in `data`; what is not a key begins at the start."""
        form = cls(data)
        form.is_valid()
        key: UUID | None = form.cleaned_data.get("before")
        return key
