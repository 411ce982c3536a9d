"""SMS by a provider: a server on the loopback that answers as Twilio's published API does."""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from port444.accounts.models import User
from port444.kit import clock
from port444.notifications import actions
from port444.notifications.kinds import Group, Kind, register
from port444.notifications.models import Channel, Delivery, DeliveryStatus, Preference
from port444.notifications.sms import Failed, Refused, Sms, Twilio

register(Kind("test.sms", Group.CALLS, urgent=True, sms=True))
DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MESSAGE = Sms("+31 20 123 4567", "Your call begins.", "key")


@dataclass
class FakeTwilio:
    """POST /2010-04-01/Accounts/{sid}/Messages.json with basic authentication; 201 with a sid, or an error with a code."""

    url: str = ""
    answer: tuple[int, Any] = (201, {"sid": "SM1", "status": "queued"})
    taken: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def twilio(settings: Any) -> Iterator[FakeTwilio]:
    fake = FakeTwilio()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = fake.answer
            wanted = "Basic " + base64.b64encode(b"AC1:secret").decode()
            if self.headers["Authorization"] != wanted or self.path != "/2010-04-01/Accounts/AC1/Messages.json":
                status, answer = 401, {"code": 20003, "message": "Authenticate"}
            elif status == 201:
                fake.taken.append(dict(urllib.parse.parse_qsl(body)))
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    settings.SMS_PROVIDER, settings.TWILIO_URL = "twilio", fake.url
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, settings.TWILIO_FROM = "AC1", "secret", "+15005550006"
    yield fake
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def delivery(client_user: User) -> Delivery:
    client_user.phone = "+31 20 123 4567"
    client_user.save()
    for channel in Channel:
        Preference.objects.create(user=client_user, group=Group.CALLS, channel=channel, enabled=channel == Channel.SMS)
    with clock.at(DAY):
        told = actions.notify(client_user, "test.sms", title="Your call begins in 10 minutes.", body="", url="/calls/1/", dedupe_key="call:1")
    return told.deliveries.get()


def after(delivery: Delivery) -> Delivery:
    with clock.at(DAY):
        actions.deliver(delivery.pk)
    delivery.refresh_from_db()
    return delivery


def test_twilio_takes_the_message(twilio: FakeTwilio, delivery: Delivery) -> None:
    assert after(delivery).status == DeliveryStatus.SENT
    body = "port444: Your call begins in 10 minutes. http://127.0.0.1:8444/calls/1/"
    assert twilio.taken == [{"To": "+31201234567", "From": "+15005550006", "Body": body}]


def test_a_number_that_does_not_exist_is_not_tried_again(twilio: FakeTwilio, delivery: Delivery) -> None:
    twilio.answer = (400, {"code": 21211, "message": "The 'To' number is not a valid phone number."})
    assert after(delivery).status == DeliveryStatus.FAILED
    assert delivery.error == "400 21211 The 'To' number is not a valid phone number."


@pytest.mark.parametrize(
    "answer", [(429, {"code": 20429, "message": "Too Many Requests"}), (500, b"oops"), (201, b"no json"), (201, {}), (400, {"code": 21606})]
)
def test_what_may_pass_is_tried_again(twilio: FakeTwilio, delivery: Delivery, answer: tuple[int, Any]) -> None:
    twilio.answer = answer
    assert after(delivery).status == DeliveryStatus.PENDING
    assert delivery.due_at > DAY


def test_wrong_credentials_and_no_answer(twilio: FakeTwilio, settings: Any) -> None:
    settings.TWILIO_AUTH_TOKEN = "wrong"
    with pytest.raises(Failed, match="401 20003 Authenticate"):
        Twilio().send(MESSAGE)
    settings.TWILIO_URL = "http://127.0.0.1:9"
    with pytest.raises(Failed):
        Twilio().send(MESSAGE)


def test_refusals_are_told_apart(twilio: FakeTwilio) -> None:
    twilio.answer = (400, {"code": 21610, "message": "Attempt to send to unsubscribed recipient"})
    with pytest.raises(Refused):
        Twilio().send(MESSAGE)


def test_without_a_provider_it_is_skipped(delivery: Delivery, settings: Any) -> None:
    settings.SMS_PROVIDER = "none"
    assert after(delivery).status == DeliveryStatus.SKIPPED
    assert delivery.error == "SMS are not set up"


def test_captured_once(delivery: Delivery, settings: Any, tmp_path: Path) -> None:
    settings.SMS_PROVIDER, settings.MAIL_DIR = "captured", tmp_path
    assert after(delivery).status == DeliveryStatus.SENT
    assert "Your call begins in 10 minutes." in (tmp_path / f"sms-{delivery.pk}.eml").read_text()
