"""Sending one e-mail. Call it from jobs only: it talks to the network."""

from __future__ import annotations

import smtplib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from . import readonly


class Undeliverable(Exception):
    """The mail server refused this message for good: trying again would not help."""


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
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def message_id(self) -> str:
        return f"<{self.key}@{settings.MAIL_DOMAIN}>"


def send(mail: Mail) -> None:
    """Hand `mail` to the mail server. Subjects are cut to one line.

    Raises Undeliverable when the address or the content is refused with a 5xx answer, else what the transport raises.
    """
    readonly.refuse("mail")
    message = EmailMultiAlternatives(
        subject=" ".join(mail.subject.split()),
        body=mail.text,
        to=[mail.to],
        headers={"Message-ID": mail.message_id, "Auto-Submitted": "auto-generated", **mail.headers},
    )
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    for attachment in mail.attachments:
        message.attach(attachment.name, attachment.content, attachment.mimetype)
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        answers = [(code, _words(said)) for code, said in error.recipients.values()]
        if answers and all(code >= 500 for code, _ in answers):
            raise Undeliverable(f"{answers[0][0]} {answers[0][1]}") from error
        raise
    except smtplib.SMTPDataError as error:
        if error.smtp_code >= 500:
            raise Undeliverable(f"{error.smtp_code} {_words(error.smtp_error)}") from error
        raise


def _words(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said
