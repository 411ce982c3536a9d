"""Sending one e-mail. Call it from jobs only: it talks to the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.core.mail import EmailMultiAlternatives


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of an e-mail: name, bytes and MIME type."""

    name: str
    content: bytes
    mimetype: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail to one person. `key` makes the Message-ID, so that a retry is recognised as the same message."""

    to: str
    subject: str
    text: str
    key: str
    html: str = ""
    attachments: Sequence[Attachment] = ()

    @property
    def message_id(self) -> str:
        return f"<{self.key}@{settings.MAIL_DOMAIN}>"


def send(mail: Mail) -> None:
    """Hand `mail` to the mail server; raises what the transport raises. Subjects are cut to one line."""
    message = EmailMultiAlternatives(
        subject=" ".join(mail.subject.split()),
        body=mail.text,
        to=[mail.to],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated"},
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    for attachment in mail.attachments:
        message.attach(attachment.name, attachment.content, attachment.mimetype)
    message.send()
