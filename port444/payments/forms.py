"""The shape of what people send about money."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from port444.kit.amounts import AmountField
from port444.kit.errors import Invalid
from port444.kit.money import MOST

from .bank import Account, read_account
from .models import PayoutMethod
from .providers.sandbox import Decision, Manner


class WalletForm(forms.Form):
    """The test wallet: the button that was pressed, and how the wallet should behave."""

    decision = forms.ChoiceField(choices=[(d.value, d.value) for d in Decision])
    manner = forms.ChoiceField(
        label=_("How should the wallet answer?"),
        choices=[
            (Manner.AT_ONCE.value, _("At once")),
            (Manner.LATE.value, _("After 20 seconds")),
            (Manner.TWICE.value, _("Twice")),
            (Manner.SILENT.value, _("Not at all: port444 has to ask")),
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


class OwnWalletForm(forms.Form):
    """Which wallet is going to send the amount."""

    address = forms.CharField(
        label=_("Address of your wallet"),
        max_length=60,
        help_text=_("The amount is known by it. Not an exchange: those send from an address that is not yours."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
    )


class SignatureForm(forms.Form):
    """What a wallet has signed, and which wallet says so."""

    address = forms.CharField(max_length=60)
    signature = forms.CharField(max_length=600)


class HashForm(forms.Form):
    """What a wallet calls the transaction that it has sent."""

    tx_hash = forms.CharField(max_length=80)


class WithdrawForm(forms.Form):
    """How much to withdraw and how; `client_key` makes pressing twice one withdrawal."""

    method = forms.ChoiceField(choices=PayoutMethod.choices, required=False, initial=PayoutMethod.WALLET.value, widget=forms.RadioSelect)
    amount = AmountField(positive=True, most=MOST)
    client_key = forms.UUIDField(widget=forms.HiddenInput)

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or PayoutMethod.WALLET.value


class QuoteForm(forms.Form):
    """What would arrive of an amount that is being typed."""

    method = forms.ChoiceField(choices=PayoutMethod.choices)
    amount = AmountField(positive=True, most=MOST)


class AddressForm(forms.Form):
    """Where withdrawals go."""

    address = forms.CharField(
        label=_("Wallet address"),
        max_length=60,
        help_text=_("0x and 40 digits or letters. Copy it from your wallet and compare the ends: what is sent cannot be called back."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
    )


def _typed(**attrs: str) -> forms.TextInput:
    return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "characters", **attrs})


class BankForm(forms.Form):
    """The bank account to which withdrawals go: an IBAN, or a number with the bank's BIC and country."""

    holder = forms.CharField(
        label=_("Account holder"),
        max_length=70,
        help_text=_("As the bank writes it, in Latin letters."),
        widget=forms.TextInput(attrs={"autocomplete": "name", "spellcheck": "false"}),
    )
    iban = forms.CharField(
        label="IBAN",
        max_length=60,
        required=False,
        help_text=_("For most banks outside the United States, Canada and Asia. Leave it empty if yours has none."),
        widget=_typed(),
    )
    number = forms.CharField(label=_("Account number"), max_length=60, required=False, help_text=_("Only without an IBAN."), widget=_typed())
    bic = forms.CharField(
        label="BIC", max_length=20, required=False, help_text=_("Also called SWIFT code: 8 or 11 letters and digits."), widget=_typed()
    )
    country = forms.CharField(
        label=_("Country of the bank"), max_length=2, required=False, help_text=_("Two letters, for example US."), widget=_typed()
    )

    account: Account | None = None

    def clean(self) -> dict[str, object]:
        data = super().clean() or {}
        if not self.errors:
            try:
                self.account = read_account(**{name: data[name] for name in ("holder", "iban", "number", "bic", "country")})
            except Invalid as error:
                self.add_error(FIELD_OF.get(error.code.partition("_")[0], "iban"), error.message)
        return data


# Which field a refusal is about, by the first word of its code.
FIELD_OF = {"holder": "holder", "iban": "iban", "account": "number", "bic": "bic", "country": "country"}


class ReasonForm(forms.Form):
    """Why staff do something with money."""

    reason = forms.CharField(label=_("Reason"), min_length=10, max_length=200, widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, help_text: str = "For the log.", **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["reason"].help_text = help_text


class SureForm(forms.Form):
    """A step that only has to be pressed; the button sends `sure`, so that an empty form is not taken for a look."""

    sure = forms.BooleanField(widget=forms.HiddenInput, initial=True)


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


MOST_DAYS = 3 * 366


class SpanForm(forms.Form):
    """From which day to which, both included, for a file: the year so far unless somebody says otherwise."""

    since = forms.DateField(label=pgettext_lazy("a period", "From"), required=False)
    until = forms.DateField(label=pgettext_lazy("a period", "To"), required=False)

    def __init__(self, data: QueryDict, *, today: date, zone: tzinfo) -> None:
        super().__init__(data)
        self.today, self.zone = today, zone

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        until = cleaned.get("until") or self.today
        since = cleaned.get("since") or until.replace(month=1, day=1)
        if since > until:
            raise forms.ValidationError(gettext("The first day comes after the last."), code="order")
        if (until - since).days > MOST_DAYS:
            raise forms.ValidationError(gettext("A file holds three years at most."), code="span")
        if not 2000 <= since.year <= until.year < 2200:
            raise forms.ValidationError(gettext("Name days of this century."), code="century")
        return {"since": since, "until": until}

    def moments(self) -> tuple[datetime, datetime]:
        """From the first midnight to the one after the last day, in the person's zone."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        return datetime.combine(since, time(), self.zone), datetime.combine(until + timedelta(days=1), time(), self.zone)
