"""What is said by e-mail and SMS: rendered for the reader, in their zone and language."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from port444.kit.language import speaking_to
from port444.kit.mail import Mail

from .kinds import Group, kind_of
from .models import Delivery, Notification
from .sms import Sms

SALT = "port444.notifications.unsubscribe"
REASONS = {
    Group.ORDERS: _("You get this because it is about an order of yours."),
    Group.CALLS: _("You get this because it is about a call of yours."),
    Group.MESSAGES: _("You get this because somebody wrote to you."),
    Group.MONEY: _("You get this because it is about your money."),
    Group.FINDING: _("You get this because you saved a search."),
    Group.ACCOUNT: _("You get this because it is about your account."),
}


def compose(delivery: Delivery) -> Mail:
    """The e-mail of a delivery. The same delivery always makes the same Message-ID."""
    notification = delivery.notification
    kind = kind_of(notification.kind)
    user = notification.user
    stop = "" if kind.group == Group.ACCOUNT else absolute(reverse("notifications:unsubscribe", args=[token(user.pk, kind.group)]))
    context = {**_context(notification), "reason": REASONS[Group(kind.group)], "group": Group(kind.group).label, "unsubscribe_url": stop}
    with timezone.override(ZoneInfo(user.time_zone)), speaking_to(user):
        text = render_to_string(f"notifications/email/{kind.template}.txt", context)
        html = render_to_string(f"notifications/email/{kind.template}.html", context)
    headers = {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if stop else {}
    attachments = kind.attach(notification) if kind.attach else ()
    return Mail(delivery.address, notification.title, text, str(delivery.pk), html=html, attachments=tuple(attachments), headers=headers)


def compose_sms(delivery: Delivery) -> Sms:
    """The SMS of a delivery: what happened and where to look."""
    notification = delivery.notification
    return Sms(delivery.address, f"port444: {notification.title} {absolute(notification.url)}", str(delivery.pk))


def _context(notification: Notification) -> dict[str, Any]:
    given = notification.context
    return {
        **given,
        "notification": notification,
        "user": notification.user,
        "zone": notification.user.time_zone,
        "subject": notification.title,
        "paragraphs": [part for part in notification.body.split("\n\n") if part.strip()],
        "facts": [(label, _value(value)) for label, value in _pairs(given.get("facts"))],
        "at": _value(given.get("at")),
        "links": [(label, absolute(address)) for label, address in _pairs(given.get("links"))],
        "url": absolute(notification.url) if notification.url else "",
        "settings_url": absolute(reverse("notifications:settings")),
    }


def _pairs(facts: Any) -> Iterable[tuple[str, Any]]:
    return facts.items() if isinstance(facts, dict) else facts or []


def _value(value: Any) -> Any:
    """Moments were written to JSON as text; they become moments again, so that they are shown in the reader's zone."""
    if not isinstance(value, str) or len(value) < 20 or value[4:5] != "-":
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment if moment.tzinfo else value


def absolute(url: str) -> str:
    return f"{settings.SITE_URL.rstrip('/')}{url}" if url.startswith("/") else url


def token(user_id: UUID, group: str) -> str:
    """What a link to stop a group's mails carries: who and what, signed, so that it works signed out."""
    return signing.dumps([str(user_id), str(group)], salt=SALT)


def read_token(value: str) -> tuple[UUID, Group]:
    """Who and what a token names. Raises signing.BadSignature."""
    user_id, group = signing.loads(value, salt=SALT)
    return UUID(user_id), Group(group)
