"""What staff may ask of the list of support actions."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q

from support.models import ActionType
from support.queries import person_id


class ActionFilter(forms.Form):
    """All fields may be empty; what is given has to be so of an act. Days are those of the reader."""

    since = forms.DateField(label="From", required=False, widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput({"type": "date"}))
    agent = forms.CharField(label="Done by", required=False, max_length=254, widget=forms.TextInput({"placeholder": "e-mail or id"}))
    person = forms.CharField(label="About", required=False, max_length=254, widget=forms.TextInput({"placeholder": "e-mail or id"}))
    action_type = forms.ChoiceField(label="What", required=False, choices=[("", "All"), *ActionType.choices])
    success = forms.ChoiceField(label="Outcome", required=False, choices=[("", "All"), ("yes", "Done"), ("no", "Failed")])

    def __init__(self, data: Any, *, zone: ZoneInfo) -> None:
        super().__init__(data, label_suffix="")
        self.zone = zone
        self.ids: dict[str, Any] = {}

    def _who(self, name: str) -> str:
        said: str = self.cleaned_data[name]
        if said:
            self.ids[name] = person_id(said)
            if self.ids[name] is None:
                raise ValidationError("Nobody has this e-mail or id.")
        return said

    def clean_agent(self) -> str:
        return self._who("agent")

    def clean_person(self) -> str:
        return self._who("person")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        since, until = said.get("since"), said.get("until")
        if since and until and since > until:
            self.add_error("until", "This is before the first day.")
        return said

    @property
    def given(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.cleaned_data.items() if value not in (None, "")}

    def period(self) -> Q:
        said, found = self.cleaned_data, Q()
        if said["since"]:
            found &= Q(created_at__gte=datetime.combine(said["since"], time.min, self.zone))
        if said["until"]:
            found &= Q(created_at__lt=datetime.combine(said["until"] + timedelta(days=1), time.min, self.zone))
        return found

    def wanted(self) -> Q:
        said, found = self.cleaned_data, self.period()
        if "agent" in self.ids:
            found &= Q(admin=self.ids["agent"])
        if "person" in self.ids:
            found &= Q(target_user=self.ids["person"])
        if said["action_type"]:
            found &= Q(action_type=said["action_type"])
        if said["success"]:
            found &= Q(success=said["success"] == "yes")
        return found
