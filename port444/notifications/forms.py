from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from . import queries
from .actions import Hours
from .kinds import Group
from .models import Channel


class PreferencesForm(forms.Form):
    """What to hear by which channel, and when not. Mail about the account has no box: it cannot be refused."""

    quiet = forms.BooleanField(label=_("Hold what can wait during quiet hours"), required=False)
    starts = forms.TimeField(label=pgettext_lazy("a period", "From"), widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}))
    ends = forms.TimeField(label=_("Until"), widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}))

    def __init__(self, data: Any = None, *, user: Any) -> None:
        hours = queries.quiet_hours(user)
        initial = {"quiet": hours.enabled, "starts": hours.starts, "ends": hours.ends}
        for choice in queries.choices(user):
            initial[f"{choice.group}_email"], initial[f"{choice.group}_sms"] = choice.email, choice.sms
        super().__init__(data, initial=initial)
        for group in Group:
            for channel in Channel:
                if (group, channel) != (Group.ACCOUNT, Channel.EMAIL):
                    label = gettext("%(group)s by %(channel)s") % {"group": group.label, "channel": channel.label}
                    self.fields[f"{group.value}_{channel.value}"] = forms.BooleanField(label=label, required=False)

    def rows(self) -> list[tuple[str, Any, Any]]:
        """The grid: label, the box for e-mail (None where it cannot be refused), the box for SMS."""
        return [(str(group.label), self[f"{group.value}_email"] if group != Group.ACCOUNT else None, self[f"{group.value}_sms"]) for group in Group]

    def chosen(self) -> dict[tuple[str, str], bool]:
        return {
            (group.value, channel.value): self.cleaned_data[f"{group.value}_{channel.value}"]
            for group in Group
            for channel in Channel
            if f"{group.value}_{channel.value}" in self.fields
        }

    def hours(self) -> Hours:
        return Hours(self.cleaned_data["quiet"], self.cleaned_data["starts"], self.cleaned_data["ends"])
