"""Where events may be sent. Nothing of a person's choosing leads into our own network, whatever it is called or turns into."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid
from port444.kit.jobs import SWEEP_SECONDS
from port444.webhooks import actions
from port444.webhooks.actions import Terms, sending
from port444.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

from .conftest import Listen, Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def strict(settings: Any) -> None:
    """As in production."""
    settings.OUTBOUND_ALLOW_LOOPBACK = False


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection was tried to. None is made."""
    tried: list[str] = []

    def refuse(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    return tried


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], list[str]]:
    """A resolver that knows hooks.example alone: its addresses one after the other, the last one for ever. Gives what was asked."""

    def use(answers: list[str]) -> list[str]:
        real, asked = socket.getaddrinfo, []

        def resolve(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name != "hooks.example":
                return real(host, port, *args, **options)
            asked.append(name)
            return real(answers.pop(0) if len(answers) > 1 else answers[0], port, *args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return use


REFUSED = [
    "http://hooks.example/",
    "ftp://hooks.example/",
    "//hooks.example/",
    "hooks.example",
    "https://",
    "https:///path",
    "https://user:word@hooks.example/",
    "https://hooks.example:22/",
    "https://hooks.example:80/",
    "https://hooks.example:1023/",
    "https://hooks.example:99999/",
    "https://hooks.example:x/",
    "https://localhost/",
    "https://intranet/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://0/",
    "https://10.1.2.3/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://hooks.example/a b",
    "https://hooks.example/\r\nHost: other",
    "https://hooks.example/\x00",
    " https://hooks.example/",
    "https://hooks.example/" + "x" * 500,
    "javascript:alert(1)",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("url", REFUSED)
def test_what_is_no_address_for_it_is_refused_when_it_is_added(strict: None, client_user: User, url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        actions.add_endpoint(client_user.pk, actor=client_user, terms=Terms(url, ["*"]), client_key=uuid4())
    assert refusal.value.code == "url"
    assert WebhookEndpoint.objects.count() == 0


@pytest.mark.parametrize(
    "url", ["https://hooks.example/", "https://hooks.example:443/a", "https://hooks.example:8443/?q=1", "https://93.184.215.14/x"]
)
def test_what_may_be_one_is_taken(strict: None, listen: Listen, client_user: User, url: str) -> None:
    assert listen(client_user, url)[0].url == url


def test_http_to_this_machine_is_for_development_alone(client_user: User, listen: Listen, settings: Any) -> None:
    for url in ("http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"):
        assert listen(client_user, url)[0].url == url
    with pytest.raises(Invalid):
        listen(client_user, "http://hooks.example/")


def sent(url: str, user: User) -> WebhookDelivery:
    """What becomes of an event for an address that has got into the table."""
    endpoint = WebhookEndpoint.objects.create(user=user, url=url, events=["*"], secret={"current": "whsec_" + "A" * 43 + "="})
    actions.ping_endpoint(endpoint.pk, actor=user)
    actions.send_due()
    return WebhookDelivery.objects.get()


INSIDE = [
    *("10.0.0.1", "172.16.5.4", "192.168.1.1", "127.0.0.1", "0.0.0.0", "169.254.169.254", "100.64.0.1", "192.0.2.1", "224.0.0.1"),
    *("::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:7f00:1::", "fe80::1", "fd00:ec2::254", "ff02::1"),
]


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_spoken_to(
    strict: None, names: Callable[[list[str]], list[str]], dialled: list[str], client_user: User, address: str
) -> None:
    names([address])
    row = sent("https://hooks.example/", client_user)
    assert dialled == []
    assert (row.status, row.code) == ("pending", None)
    assert row.error == "The name leads into a private network."
    assert address not in row.error


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "[::1]", "[::ffff:7f00:1]", "localhost"])
def test_no_way_of_writing_an_address_leads_inside(strict: None, dialled: list[str], client_user: User, host: str) -> None:
    row = sent(f"https://{host}/", client_user)
    assert dialled == []
    assert (row.status, row.code) == ("pending", None)


def test_a_name_that_turns_inside_after_it_was_asked_gains_nothing(
    strict: None, names: Callable[[list[str]], list[str]], dialled: list[str], client_user: User
) -> None:
    asked = names(["93.184.215.14", "127.0.0.1"])
    sent("https://hooks.example/", client_user)
    assert asked == ["hooks.example"], "asked once, and that answer was used"
    assert dialled == ["93.184.215.14"]


def test_http_is_not_spoken_at_all(strict: None, receiver: Receiver, client_user: User) -> None:
    row = sent(receiver.url, client_user)
    assert (receiver.seen, row.code, row.error) == ([], None, "The address cannot be used.")


def test_a_redirect_inside_is_not_followed(receiver: Receiver, receivers: Callable[[], Receiver], client_user: User) -> None:
    inside = receivers()
    receiver.fail(302, headers={"Location": inside.url})
    row = sent(receiver.url, client_user)
    assert (len(receiver.seen), inside.seen, row.code) == (1, [], 302)
    assert WebhookAttempt.objects.get().at <= now()


def test_the_lease_outlives_a_try() -> None:
    assert sending.LEASE.total_seconds() > SWEEP_SECONDS + sending.TOTAL
