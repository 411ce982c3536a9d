"""Which time a builder asks about."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class WhyForm(forms.Form):
    """A day and a time on the builder's own clock."""

    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    time = forms.TimeField(label=_("Start"), widget=forms.TimeInput(attrs={"type": "time", "step": "900"}, format="%H:%M"))
    minutes = forms.TypedChoiceField(label=_("Length"), coerce=int, choices=[(15, _("15 minutes")), (30, _("30 minutes")), (60, _("60 minutes"))])

    @property
    def minute(self) -> int:
        """Of the day."""
        time = self.cleaned_data["time"]
        return int(time.hour * 60 + time.minute)
