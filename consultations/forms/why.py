"""Which time a builder asks about."""

from __future__ import annotations

from django import forms

from port444.builders.models import LENGTHS


class WhyForm(forms.Form):
    """A day and a time on the builder's own clock."""

    day = forms.DateField(label="Day", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    time = forms.TimeField(label="Start", widget=forms.TimeInput(attrs={"type": "time", "step": "900"}, format="%H:%M"))
    minutes = forms.TypedChoiceField(label="Length", coerce=int, choices=[(length, f"{length} minutes") for length in LENGTHS])

    @property
    def minute(self) -> int:
        """Of the day."""
        time = self.cleaned_data["time"]
        return int(time.hour * 60 + time.minute)
