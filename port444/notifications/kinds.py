"""The kinds of things that people are told, registered by the apps that tell them (in their `ready()`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from port444.kit.mail import Attachment

if TYPE_CHECKING:
    from .models import Notification


class Group(models.TextChoices):
    """What preferences are about. Mail about the account always goes out: it is about the person's own security."""

    ORDERS = "orders", _("Orders")
    CALLS = "calls", _("Calls")
    MESSAGES = "messages", _("Messages")
    MONEY = "money", _("Money")
    FINDING = "finding", _("Saved searches")
    ACCOUNT = "account", _("Your account")


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind is told.

    `urgent` kinds ignore quiet hours; `sms` allows the channel to those who opted in; `delay` holds e-mail and SMS back, and
    with `skip_if_read` they are dropped when the person has read the notification meanwhile. `leaves_when_read` is for what has
    its own page, such as messages: once read it no longer stands under the bell. `template` names the pair
    `notifications/email/<template>.txt` and `.html`; `attach` makes the files of the e-mail at the time of sending.
    `holds` is asked just before e-mail or SMS leave, which may be hours later: what is not true any more is dropped.
    """

    key: str
    group: Group | str
    urgent: bool = False
    sms: bool = False
    template: str = "notice"
    delay: timedelta = timedelta(0)
    skip_if_read: bool = False
    leaves_when_read: bool = False
    attach: Callable[[Notification], Sequence[Attachment]] | None = None
    holds: Callable[[Notification], bool] | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make `kind` known. Registering the same kind again changes nothing; another one under its key is a mistake."""
    if Group(kind.group) and _kinds.setdefault(kind.key, kind) != kind:
        raise ValueError(f"the notification kind {kind.key} is registered twice")


def leaving_when_read() -> list[str]:
    """The keys of the kinds that the bell forgets once they are read."""
    return [kind.key for kind in _kinds.values() if kind.leaves_when_read]


def kind_of(key: str) -> Kind:
    """The kind registered under `key`. Raises LookupError."""
    try:
        return _kinds[key]
    except KeyError:
        raise LookupError(f"the notification kind {key} is not registered") from None
