"""The shape of what people send about webhooks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from port444.kit import outbound

from .actions import Terms
from .events import NAMES
from .models import EVERYTHING, WebhookEndpoint

URL = forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"})


class EndpointForm(forms.Form):
    """What is sent, and where. `client_key` makes pressing twice one webhook."""

    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        help_text=_("We post to it. It begins with https:// and answers within 10 seconds."),
        widget=URL,
    )
    description = forms.CharField(label=_("What is it for?"), max_length=120, required=False)
    everything = forms.BooleanField(label=_("All events, also those that come later"), required=False)
    events = forms.MultipleChoiceField(
        label=_("Events"), choices=[(name, name) for name in NAMES], required=False, widget=forms.CheckboxSelectMultiple
    )
    client_key = forms.UUIDField(widget=forms.HiddenInput)

    def clean_url(self) -> str:
        """What the action would refuse, so that it is said together with the rest."""
        url: str = self.cleaned_data["url"]
        if why_not := outbound.refuses(url):
            raise forms.ValidationError(why_not)
        return url

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or {}
        if "events" in found and not found.get("everything") and not found["events"]:
            self.add_error("events", gettext("Choose at least one event, or all of them."))
        return found

    @property
    def terms(self) -> Terms:
        found = self.cleaned_data
        return Terms(found["url"], [EVERYTHING] if found["everything"] else found["events"], found["description"])


def filled(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """The form as the endpoint stands."""
    everything = endpoint.events == [EVERYTHING]
    return {
        "url": endpoint.url,
        "description": endpoint.description,
        "everything": everything,
        "events": [] if everything else endpoint.events,
        "client_key": endpoint.client_key,
    }


class AgainForm(forms.Form):
    """Since when what was given up is sent again."""

    SPANS = {
        "hour": (_("The last hour"), timedelta(hours=1)),
        "day": (_("The last day"), timedelta(days=1)),
        "days": (_("The last 3 days"), timedelta(days=3)),
        "week": (_("The last week"), timedelta(days=7)),
        "month": (_("All of it, up to 30 days"), timedelta(days=31)),
    }
    since = forms.ChoiceField(label=_("Given up in"), choices=[(key, words) for key, (words, span) in SPANS.items()], initial="days")

    @property
    def span(self) -> timedelta:
        return self.SPANS[self.cleaned_data["since"]][1]


class KeyForm(forms.Form):
    """Where the next page of the log begins."""

    before = forms.UUIDField(required=False)

    @classmethod
    def key(cls, data: QueryDict) -> UUID | None:
        """The key in `data`; what is not a key begins at the start."""
        form = cls(data)
        form.is_valid()
        key: UUID | None = form.cleaned_data.get("before")
        return key
