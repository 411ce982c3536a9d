"""What is said about an account by mail, beside what allauth says."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from port444.kit.language import speaking_to

from .models import User


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered mail."""

    to: str
    subject: str
    text: str
    html: str = ""


def suspended(user: User) -> Letter:
    return _letter("suspended", user, reason_given=user.suspension_reason)


def reinstated(user: User) -> Letter:
    return _letter("reinstated", user, url=settings.SITE_URL.rstrip("/") + reverse("account_login"))


def _letter(name: str, user: User, **context: object) -> Letter:
    context |= {"user": user}
    with speaking_to(user):
        subject, text, html = (render_to_string(f"accounts/email/{name}.{kind}", context).strip() for kind in ("subject.txt", "txt", "html"))
    return Letter(user.email, subject, text, html)
