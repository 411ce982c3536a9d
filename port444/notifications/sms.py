"""SMS behind one small protocol: captured into files, sent by Twilio, or not at all."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol

from django.conf import settings

from port444.kit import readonly
from port444.kit.clock import now


class Refused(Exception):
    """The provider will never deliver this message, e.g. because the number does not exist."""


class OptedOut(Refused):
    """The person has told the provider to send them no more."""


class Unavailable(Exception):
    """No provider is set up."""


class Failed(Exception):
    """The message did not go out this time; a later try may work."""


@dataclass(frozen=True, slots=True)
class Sms:
    """One text message. `to` is a number in international form; `key` names the message for providers that can tell a repeat."""

    to: str
    text: str
    key: str

    @property
    def number(self) -> str:
        return "+" + "".join(c for c in self.to if c.isdigit())


class SmsProvider(Protocol):
    def send(self, message: Sms) -> str:
        """Hand over the message and give the provider's id of it. Raises Refused, Unavailable or Failed."""


class Nobody:
    """No SMS are sent."""

    def send(self, message: Sms) -> str:
        raise Unavailable("SMS are not set up")


class Captured:
    """Keeps each message once as a file beside the captured mails, for development."""

    def send(self, message: Sms) -> str:
        letter = EmailMessage()
        letter["Message-ID"] = f"<{message.key}@{settings.MAIL_DOMAIN}>"
        letter["From"], letter["To"], letter["Subject"] = "SMS", message.number, "SMS"
        letter["Date"] = format_datetime(now())
        letter["X-Channel"] = "sms"
        letter.set_content(message.text)
        folder = Path(settings.MAIL_DIR)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part") as part:
            part.write(letter.as_bytes())
            part.flush()
            with contextlib.suppress(FileExistsError):
                os.link(part.name, folder / f"sms-{message.key}.eml")
        return message.key


class Twilio:
    """Twilio's Messages resource (API 2010-04-01).

    Twilio offers no idempotency key for it: a process that dies between Twilio's answer and our record repeats the message.
    """

    # A number that is wrong, cannot receive, is blocked or has opted out; the rest of 4xx is our own set-up and is tried again.
    REFUSED = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614})
    OPTED_OUT = 21610
    TIMEOUT = 10.0

    def send(self, message: Sms) -> str:
        account = urllib.parse.quote(settings.TWILIO_ACCOUNT_SID, safe="")
        body = urllib.parse.urlencode({"To": message.number, "From": settings.TWILIO_FROM, "Body": message.text[:1600]}).encode()
        secret = base64.b64encode(f"{settings.TWILIO_ACCOUNT_SID}:{settings.TWILIO_AUTH_TOKEN}".encode()).decode()
        address = f"{settings.TWILIO_URL}/2010-04-01/Accounts/{account}/Messages.json"
        request = urllib.request.Request(address, body, {"Authorization": f"Basic {secret}", "Accept": "application/json"})  # noqa: S310 - https, from the settings
        try:
            with urllib.request.urlopen(request, timeout=self.TIMEOUT) as response:  # noqa: S310 - as above
                return str(json.load(response)["sid"])
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from error
        except (OSError, ValueError, KeyError) as error:
            raise Failed(f"Twilio did not answer as expected: {error}") from error

    def _refusal(self, error: urllib.error.HTTPError) -> Refused | Failed:
        with error:
            try:
                said = json.load(error)
            except ValueError:
                said = {}
        code = said.get("code") if isinstance(said, dict) else None
        words = f"{error.code} {code or ''} {said.get('message', '') if isinstance(said, dict) else ''}".strip()
        if code == self.OPTED_OUT:
            return OptedOut(words)
        return Refused(words) if error.code == 400 and code in self.REFUSED else Failed(words)


STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit"})


def is_stop(text: str) -> bool:
    """Whether an answer asks for no more messages."""
    return text.strip().rstrip(".!").lower() in STOP_WORDS


def is_from_twilio(url: str, fields: Mapping[str, str], signature: str) -> bool:
    """Whether Twilio signed a post to `url`: the address and the sorted fields under the account's token."""
    if not settings.TWILIO_AUTH_TOKEN:
        return False
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    wanted = hmac.new(settings.TWILIO_AUTH_TOKEN.encode(), signed.encode(), hashlib.sha1).digest()
    return hmac.compare_digest(base64.b64encode(wanted), signature.encode())


PROVIDERS: dict[str, type[SmsProvider]] = {"none": Nobody, "captured": Captured, "twilio": Twilio}


def current() -> SmsProvider:
    """The provider that the settings name, to send with."""
    readonly.refuse("a text message")
    return PROVIDERS[settings.SMS_PROVIDER]()
