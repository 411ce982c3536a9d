"""What a person does with their webhooks: works, the wrong person, the wrong state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django_q.models import OrmQ

from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.kit.errors import Conflict, DomainError, Invalid, NotAllowed, TooMany, WrongState
from port444.webhooks import actions
from port444.webhooks.actions import Terms, sending
from port444.webhooks.models import WebhookDelivery, WebhookEndpoint

from .conftest import Listen

pytestmark = pytest.mark.django_db

URL = "https://hooks.example/in"


@pytest.fixture
def endpoint(listen: Listen, client_user: User) -> WebhookEndpoint:
    return listen(client_user, URL, "order.paid", description="The warehouse")[0]


def everything() -> tuple[Any, ...]:
    rows = [list(model.objects.order_by("pk").values()) for model in (WebhookEndpoint, WebhookDelivery)]
    return (*rows, OrmQ.objects.count(), AuditLog.objects.count())


def recorded() -> list[str]:
    return list(AuditLog.objects.filter(event_type__startswith="webhook.").order_by("pk").values_list("event_type", flat=True))


def test_adding_is_recorded_without_the_address_in_words(endpoint: WebhookEndpoint) -> None:
    row = AuditLog.objects.get(event_type="webhook.added")
    assert row.target_id == endpoint.pk
    assert row.after_state == {"url": "[personal]", "description": "[personal]", "events": ["order.paid"]}


def test_the_same_form_again_adds_nothing(client_user: User) -> None:
    key, terms = uuid4(), Terms(URL, ["order.paid"])
    first, secret = actions.add_endpoint(client_user.pk, actor=client_user, terms=terms, client_key=key)
    before = everything()
    again, nothing = actions.add_endpoint(client_user.pk, actor=client_user, terms=terms, client_key=key)
    assert (again.pk, nothing, everything()) == (first.pk, "", before)
    assert secret.startswith("whsec_")


def test_nobody_has_more_than_some(listen: Listen, client_user: User, builder_user: User) -> None:
    rows = [listen(client_user, URL)[0] for _ in range(actions.MOST)]
    with pytest.raises(Conflict):
        listen(client_user, URL)
    listen(builder_user, URL)
    actions.remove_endpoint(rows[0].pk, actor=client_user)
    listen(client_user, URL)


@pytest.mark.parametrize("events", [[], ["order.payed"], ["*", "x"], ["order.*"]])
def test_what_is_no_event_is_refused(client_user: User, events: list[str]) -> None:
    before = everything()
    with pytest.raises(Invalid) as refusal:
        actions.add_endpoint(client_user.pk, actor=client_user, terms=Terms(URL, events), client_key=uuid4())
    assert (refusal.value.code, everything()) == ("events", before)


def test_events_are_kept_in_the_order_of_the_table(listen: Listen, client_user: User) -> None:
    assert listen(client_user, URL, "message.created", "order.paid", "order.paid")[0].events == ["order.paid", "message.created"]
    assert listen(client_user, URL, "order.paid", "*")[0].events == ["*"]


def test_changing_says_what_changed(endpoint: WebhookEndpoint, client_user: User) -> None:
    actions.change_endpoint(endpoint.pk, actor=client_user, terms=Terms(URL, ["order.paid", "order.delivered"], "The warehouse"))
    row = AuditLog.objects.get(event_type="webhook.changed")
    assert (row.before_state, row.after_state) == ({"events": ["order.paid"]}, {"events": ["order.paid", "order.delivered"]})
    before = everything()
    actions.change_endpoint(endpoint.pk, actor=client_user, terms=Terms(URL, ["order.delivered", "order.paid"], " The  warehouse"))
    assert everything() == before


def test_each_step_is_recorded(endpoint: WebhookEndpoint, client_user: User) -> None:
    actions.pause_endpoint(endpoint.pk, actor=client_user)
    actions.resume_endpoint(endpoint.pk, actor=client_user)
    actions.rotate_secret(endpoint.pk, actor=client_user)
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.replay_delivery(ping.pk, actor=client_user)
    actions.replay_failed(endpoint.pk, actor=client_user, since=now())
    actions.remove_endpoint(endpoint.pk, actor=client_user)
    steps = ["added", "paused", "resumed", "renewed", "pinged", "replayed", "replayed", "removed"]
    assert recorded() == [f"webhook.{step}" for step in steps]
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.secret) == ("removed", {"current": ""})


STEPS: dict[str, Callable[[WebhookEndpoint, WebhookDelivery, User], object]] = {
    "change": lambda e, d, who: actions.change_endpoint(e.pk, actor=who, terms=Terms(URL, ["*"])),
    "rotate": lambda e, d, who: actions.rotate_secret(e.pk, actor=who),
    "pause": lambda e, d, who: actions.pause_endpoint(e.pk, actor=who),
    "resume": lambda e, d, who: actions.resume_endpoint(e.pk, actor=who),
    "remove": lambda e, d, who: actions.remove_endpoint(e.pk, actor=who),
    "ping": lambda e, d, who: actions.ping_endpoint(e.pk, actor=who),
    "replay": lambda e, d, who: actions.replay_delivery(d.pk, actor=who),
    "replay failed": lambda e, d, who: actions.replay_failed(e.pk, actor=who, since=now() - timedelta(days=1)),
}


@pytest.mark.parametrize("step", STEPS)
def test_nobody_else_does_anything(endpoint: WebhookEndpoint, client_user: User, stranger: User, staff: User, step: str) -> None:
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    before = everything()
    for who in (stranger, staff):
        with pytest.raises((NotAllowed, WebhookDelivery.DoesNotExist)):
            STEPS[step](endpoint, ping, who)
    with pytest.raises(NotAllowed):
        actions.add_endpoint(client_user.pk, actor=stranger, terms=Terms(URL, ["*"]), client_key=uuid4())
    assert everything() == before


@pytest.mark.parametrize("step", STEPS)
def test_nothing_is_done_to_a_removed_one(endpoint: WebhookEndpoint, client_user: User, step: str) -> None:
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.remove_endpoint(endpoint.pk, actor=client_user)
    before = everything()
    with pytest.raises((DomainError, WebhookDelivery.DoesNotExist)):
        STEPS[step](endpoint, ping, client_user)
    assert everything() == before


@pytest.mark.parametrize("step", ["pause", "ping", "replay", "replay failed"])
def test_a_paused_one_sends_nothing(endpoint: WebhookEndpoint, client_user: User, step: str) -> None:
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.pause_endpoint(endpoint.pk, actor=client_user)
    before = everything()
    with pytest.raises((Conflict, WrongState)):
        STEPS[step](endpoint, ping, client_user)
    assert everything() == before


def test_pings_are_not_a_flood(endpoint: WebhookEndpoint, client_user: User) -> None:
    moment = now()
    with at(moment):
        for _ in range(10):
            actions.ping_endpoint(endpoint.pk, actor=client_user)
        with pytest.raises(TooMany):
            actions.ping_endpoint(endpoint.pk, actor=client_user)
    with at(moment + timedelta(seconds=61)):
        actions.ping_endpoint(endpoint.pk, actor=client_user)


def given_up(endpoint: WebhookEndpoint, days: float) -> WebhookDelivery:
    moment = now() - timedelta(days=days)
    return WebhookDelivery.objects.create(
        endpoint=endpoint,
        event_id=uuid4(),
        event="order.paid",
        body="{}",
        status="failed",
        tries=11,
        attempts=11,
        created_at=moment,
        settled_at=moment,
    )


def test_what_was_given_up_is_sent_again_since_a_moment(endpoint: WebhookEndpoint, client_user: User, listen: Listen) -> None:
    old, new, other = given_up(endpoint, 5), given_up(endpoint, 1), given_up(listen(client_user, URL)[0], 1)
    OrmQ.objects.all().delete()
    assert actions.replay_failed(endpoint.pk, actor=client_user, since=now() - timedelta(days=2)) == 1
    for row in (old, new, other):
        row.refresh_from_db()
    assert [row.status for row in (old, new, other)] == ["failed", "pending", "failed"]
    assert (new.tries, new.attempts, new.settled_at, new.due_at <= now()) == (0, 11, None, True)
    assert OrmQ.objects.count() == 1
    assert AuditLog.objects.get(event_type="webhook.replayed").metadata["deliveries"] == 1


def test_one_that_was_delivered_can_be_sent_again_under_its_id(endpoint: WebhookEndpoint, client_user: User) -> None:
    ping = actions.ping_endpoint(endpoint.pk, actor=client_user)
    (claimed,) = sending.claim(1)
    with pytest.raises(Conflict):
        actions.replay_delivery(ping.pk, actor=client_user)
    sending.settle(claimed, sending.Answer(now(), 1, code=200))
    again = actions.replay_delivery(ping.pk, actor=client_user)
    assert (again.pk, again.status, again.message_id) == (ping.pk, "pending", ping.message_id)
    (second,) = sending.claim(1)
    assert (second.number, second.headers["webhook-id"], second.body) == (2, ping.message_id, claimed.body)
