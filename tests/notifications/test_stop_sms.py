"""STOP ends text messages, whether we are told by the answer or by the provider's refusal."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from django.test import Client

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.notifications import actions, queries, sms
from port444.notifications.models import Channel, Preference

pytestmark = pytest.mark.django_db

NUMBER = "+31201234567"
TOKEN = "twilio-token"
URL = "/hooks/sms/twilio/"


@pytest.fixture
def texted(client_user: User, settings: Any) -> User:
    settings.TWILIO_AUTH_TOKEN = TOKEN
    User.objects.filter(pk=client_user.pk).update(phone=NUMBER)
    Preference.objects.create(user=client_user, group="calls", channel=Channel.SMS, enabled=True)
    return client_user


def signed(site: str, fields: dict[str, str]) -> str:
    words = f"{site}{URL}" + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(TOKEN.encode(), words.encode(), hashlib.sha1).digest()).decode()


@pytest.mark.parametrize(
    ("text", "stops"), [("STOP", True), (" stop. ", True), ("Unsubscribe", True), ("Please stop by at nine", False), ("", False)]
)
def test_the_answer_stops_them(client: Client, texted: User, settings: Any, text: str, stops: bool) -> None:
    fields = {"From": NUMBER, "Body": text, "MessageSid": "SM1"}
    answer = client.post(URL, fields, headers={"X-Twilio-Signature": signed(settings.SITE_URL, fields)})
    assert answer.status_code == 200
    assert (Channel.SMS not in queries.wanted_by([texted.pk])(texted.pk, "calls")) == stops
    assert Channel.EMAIL in queries.wanted_by([texted.pk])(texted.pk, "calls")


@pytest.mark.parametrize("spoil", ["signature", "letters", "number", "token"])
def test_nobody_stops_somebody_elses(client: Client, texted: User, settings: Any, spoil: str) -> None:
    fields = {"From": NUMBER, "Body": "STOP"}
    signature = "x" if spoil == "signature" else signed(settings.SITE_URL, {**fields, "From": "+1"} if spoil == "number" else fields)
    if spoil == "letters":
        signature = "größe"
    if spoil == "token":
        settings.TWILIO_AUTH_TOKEN = ""
    before = AuditLog.objects.events().count()
    assert client.post(URL, fields, headers={"X-Twilio-Signature": signature}).status_code == 403
    assert Channel.SMS in queries.wanted_by([texted.pk])(texted.pk, "calls")
    assert AuditLog.objects.events().count() == before


def test_a_number_that_has_opted_out_is_told_apart() -> None:
    class Answer:
        code = 400

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *error: object) -> None:
            return None

        def read(self, *size: int) -> bytes:
            return b'{"code": 21610, "message": "unsubscribed recipient"}'

    assert isinstance(sms.Twilio()._refusal(Answer()), sms.OptedOut)  # type: ignore[arg-type]


def test_the_providers_refusal_stops_them(texted: User) -> None:
    assert actions.stop_sms("+000") == 0
    assert Channel.SMS in queries.wanted_by([texted.pk])(texted.pk, "calls")
    assert actions.stop_sms(NUMBER) == 1
    assert queries.wanted_by([texted.pk])(texted.pk, "calls") == {Channel.EMAIL}
