"""The shape of what people send about money."""

from __future__ import annotations

from django import forms

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
