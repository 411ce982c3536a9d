"""What arrives at a real server, and what follows from how it answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from auditlog.models import AuditLog
from port444.accounts.actions import reinstate, suspend
from port444.accounts.models import User
from port444.kit.clock import at, now
from port444.notifications.models import Notification
from port444.orders.actions import deliver
from port444.orders.models import Order
from port444.webhooks import actions
from port444.webhooks.actions import sending
from port444.webhooks.models import DeliveryStatus, EndpointStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.concurrency.test_booking import rush

from .conftest import Listen, Receiver, send_in, verify

pytestmark = pytest.mark.django_db


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.select_related("endpoint").get()


def test_what_arrives_is_signed_as_described(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, secret = listen(client_user, receiver.url + "/in?a=1")
    sent = actions.ping_endpoint(endpoint.pk, actor=client_user)
    assert actions.send_due() == 1
    (request,) = receiver.seen
    event = verify(request.headers, request.body, secret)
    assert (request.method, request.path, request.query) == ("POST", "/in", {"a": "1"})
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == event["id"] == sent.message_id
    assert (event["type"], event["data"]) == ("ping", {"endpoint_id": str(endpoint.pk)})
    for wrong in (secret[:-8] + "AAAAAAA=", "whsec_" + "A" * 43 + "="):
        with pytest.raises(ValueError, match="no signature fits"):
            verify(request.headers, request.body, wrong)
    with pytest.raises(ValueError, match="no signature fits"):
        verify(request.headers, request.body + b" ", secret)
    with pytest.raises(ValueError, match="no signature fits"):
        verify({**request.headers, "webhook-id": "evt_1"}, request.body, secret)
    row = only()
    assert (row.status, row.attempts, row.code, row.settled_at is not None) == ("delivered", 1, 200, True)
    (attempt,) = WebhookAttempt.objects.all()
    assert (attempt.number, attempt.code, json.loads(attempt.answer)) == (1, 200, {"received": True})
    assert actions.send_due() == 0


def test_after_an_exchange_both_secrets_sign_for_a_day(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, old = listen(client_user, receiver.url)
    _, new = actions.rotate_secret(endpoint.pk, actor=client_user)
    assert new != old
    moment = now()
    for hours in (0, 23.9, 24.1):
        with at(moment + timedelta(hours=hours)):
            actions.ping_endpoint(endpoint.pk, actor=client_user)
            assert actions.send_due() == 1
            request = receiver.seen[-1]
            verify(request.headers, request.body, new)
            if hours < 24:
                assert len(request.headers["webhook-signature"].split(" ")) == 2
                verify(request.headers, request.body, old)
            else:
                with pytest.raises(ValueError, match="no signature fits"):
                    verify(request.headers, request.body, old)


def test_the_database_holds_no_secret_that_can_be_read(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, secret = listen(client_user, receiver.url)
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM webhooks_webhookendpoint t WHERE id = %s", [endpoint.pk])
        row = cursor.fetchone()[0]
        cursor.execute("SELECT count(*) FROM audit_log t WHERE t::text LIKE %s", [f"%{secret[6:30]}%"])
        assert cursor.fetchone()[0] == 0
    assert secret not in row
    assert secret[6:] not in row


def test_tries_are_spread_over_three_days_then_it_is_given_up(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    receiver.fail(500, "no", times=99)
    begun = now()
    with at(begun):
        actions.ping_endpoint(endpoint.pk, actor=client_user)
    waits, moment = [], begun
    for _number in range(11):
        with at(moment - timedelta(seconds=1)):
            assert actions.send_due() == 0
        with at(moment):
            assert actions.send_due() == 1
        row = only()
        waits.append((row.due_at - moment).total_seconds())
        moment = row.due_at
    assert (row.status, row.attempts, row.code) == ("failed", 11, 500)
    for waited, planned in zip(waits, sending.WAITS, strict=False):
        assert planned.total_seconds() * 0.8 <= waited <= planned.total_seconds() * 1.2
    assert timedelta(days=2) < sum(sending.WAITS, timedelta()) < timedelta(days=4)
    with at(moment + timedelta(days=20)):
        assert actions.send_due() == 0
    assert len(receiver.seen) == 11
    assert {(request.headers["webhook-id"], request.body) for request in receiver.seen} == {(row.message_id, row.body.encode())}
    assert len({request.headers["webhook-timestamp"] for request in receiver.seen}) == 11
    assert list(Notification.objects.filter(user=client_user, kind__startswith="webhook").values_list("kind", flat=True)) == ["webhook.failing"]


def test_waits_differ_by_chance() -> None:
    assert len({sending.wait_after(5) for _ in range(50)}) > 10
    assert sending.wait_after(99) <= sending.WAITS[-1] * 1.2


def test_who_never_takes_anything_is_stopped_and_told(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    receiver.fail(503, times=99)
    moment = now()
    for days in (0, 2, 4, 4.9, 5.1):
        with at(moment + timedelta(days=days)):
            actions.ping_endpoint(endpoint.pk, actor=client_user)
            actions.send_due()
        endpoint.refresh_from_db()
        assert endpoint.status == ("active" if days < 5 else "disabled")
    assert (endpoint.disabled_why, endpoint.disabled_at is not None) == ("failing", True)
    assert AuditLog.objects.filter(event_type="webhook.disabled", target_id=endpoint.pk).count() == 1
    assert Notification.objects.filter(user=client_user, kind="webhook.disabled").count() == 1
    before = len(receiver.seen)
    assert send_in(days=6) == 0
    assert len(receiver.seen) == before
    receiver.failures.clear()
    actions.resume_endpoint(endpoint.pk, actor=client_user)
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.failing_since, endpoint.disabled_why) == ("active", None, "")
    assert send_in(days=6) > 0


def test_one_success_ends_the_failing(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    receiver.fail(500, times=1)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
    assert send_in(seconds=20) == 1
    endpoint.refresh_from_db()
    assert not endpoint.failing_since
    assert only().status == "delivered"


def test_gone_for_good_stops_it_at_once(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    receiver.fail(410, times=1)
    for _ in range(2):
        actions.ping_endpoint(endpoint.pk, actor=client_user)
    with at(now()):
        assert actions.send_due() in (1, 2)  # both may have been on their way already
    endpoint.refresh_from_db()
    assert (endpoint.status, endpoint.disabled_why) == (EndpointStatus.DISABLED, "gone")
    assert Notification.objects.filter(user=client_user, kind="webhook.disabled").count() == 1
    assert send_in(days=1) == 0


def test_a_redirect_is_not_followed(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url + "/a")
    receiver.fail(307, headers={"Location": f"{receiver.url}/b"}, times=1)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    assert [request.path for request in receiver.seen] == ["/a"]
    assert (only().status, only().code) == ("pending", 307)
    assert "redirect" in only().error


def test_of_an_answer_a_kilobyte_is_kept(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    receiver.fail(200, b"\x00\xff" + b"x" * 200_000, times=1)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    (attempt,) = WebhookAttempt.objects.all()
    assert (only().status, len(attempt.answer)) == ("delivered", 1024)
    assert attempt.answer.startswith("\ufffd\ufffdxx")


def test_no_answer_in_time_is_tried_again(listen: Listen, receiver: Receiver, client_user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TOTAL", 0.3)
    endpoint, _ = listen(client_user, receiver.url)
    receiver.open.clear()
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    receiver.open.set()
    row = only()
    assert (row.status, row.code, row.tries) == ("pending", None, 1)
    assert "no whole answer" in row.error


def test_nobody_there_is_tried_again(listen: Listen, client_user: User) -> None:
    endpoint, _ = listen(client_user, "http://127.0.0.1:9/")
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    assert (only().status, only().error) == ("pending", "There was no connection, or it broke off.")


def test_a_slow_one_leaves_room_for_the_others(
    listen: Listen, receivers: Callable[[], Receiver], client_user: User, builder_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one answers only after the quick one has heard everything."""
    slow, quick = receivers(), receivers()
    slow.open.clear()
    first, _ = listen(client_user, slow.url)
    second, _ = listen(builder_user, quick.url)
    wanted = 20
    for _ in range(wanted):
        with at(now() - timedelta(hours=1)):
            WebhookDelivery.objects.create(endpoint=first, event_id=uuid.uuid4(), event="ping", body="{}")
    for _ in range(wanted):
        WebhookDelivery.objects.create(endpoint=second, event_id=uuid.uuid4(), event="ping", body="{}")
    heard = []
    settle = sending.settle

    def note(claimed: Any, answer: Any) -> None:
        settle(claimed, answer)
        heard.append(claimed.endpoint_id)
        if heard.count(second.pk) == wanted:
            slow.open.set()

    monkeypatch.setattr(sending, "settle", note)
    assert actions.send_due() == 2 * wanted
    assert heard[:wanted] == [second.pk] * wanted
    assert 1 <= slow.most <= sending.EACH == 3
    assert len(slow.seen) == len(quick.seen) == wanted


def test_a_worker_that_dies_after_sending_sends_the_same_again(
    listen: Listen, receiver: Receiver, client_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, secret = listen(client_user, receiver.url)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    with monkeypatch.context() as patch:

        def die(*args: Any) -> None:
            raise SystemExit

        patch.setattr(sending, "settle", die)
        with pytest.raises(SystemExit):
            actions.send_due()
    row = only()
    assert (row.status, row.attempts, len(receiver.seen)) == ("sending", 1, 1)
    assert send_in(seconds=30) == 0, "the lease is not over"
    assert send_in(seconds=90) == 1
    first, second = receiver.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == row.message_id
    assert first.body == second.body
    with at(now() + timedelta(seconds=90)):
        verify(second.headers, second.body, secret)
    assert (only().status, only().attempts) == ("delivered", 2)


def test_a_late_success_counts_and_a_late_failure_does_not(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    moment = now()
    claims = []
    for number in range(3):
        with at(moment + number * (sending.LEASE + timedelta(seconds=1))):
            claims += sending.claim(1)
    first, second, third = claims
    sending.settle(first, sending.Answer(now(), 1, error="late"))
    assert only().status == DeliveryStatus.SENDING
    sending.settle(second, sending.Answer(now(), 1, code=200))
    assert only().status == DeliveryStatus.DELIVERED
    sending.settle(third, sending.Answer(now(), 1, error="no"))
    assert only().status == DeliveryStatus.DELIVERED
    assert [attempt.number for attempt in WebhookAttempt.objects.order_by("number")] == [1, 2, 3]


def test_what_always_kills_the_worker_is_given_up(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    moment = now()
    for number in range(11):
        with at(moment + number * (sending.LEASE + timedelta(seconds=1))):
            assert len(sending.claim(1)) == 1
    with at(moment + 11 * (sending.LEASE + timedelta(seconds=1))):
        assert sending.claim(1) == []
    assert only().status == "failed"


def test_a_paused_one_waits_and_goes_on(listen: Listen, receiver: Receiver, order: Order, client_user: User, builder_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    actions.pause_endpoint(endpoint.pk, actor=client_user)
    deliver(order.pk, actor=builder_user, note="Done.")
    assert send_in(hours=1) == 0
    actions.resume_endpoint(endpoint.pk, actor=client_user)
    assert send_in(hours=1) == 1
    assert receiver.types == ["order.delivered"]


def test_who_is_suspended_meanwhile_gets_nothing(listen: Listen, receiver: Receiver, client_user: User, staff: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    suspend(client_user.pk, actor=staff, reason="A long enough reason.")
    assert actions.send_due() == 0
    reinstate(client_user.pk, actor=staff)
    assert actions.send_due() == 1


def test_removed_while_it_is_on_its_way(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    (claimed,) = sending.claim(1)
    actions.remove_endpoint(endpoint.pk, actor=client_user)
    sending.settle(claimed, sending.Answer(now(), 1, code=500))
    assert WebhookAttempt.objects.count() == 0
    assert Notification.objects.filter(kind__startswith="webhook").count() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_is_asked_of_the_network_within_a_transaction(
    listen: Listen, receiver: Receiver, client_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    actions.ping_endpoint(endpoint.pk, actor=client_user)
    ours, real, seen = connections["default"], sending.post, []

    def post(claimed: sending.Claimed) -> sending.Answer:
        seen.append(ours.in_atomic_block)
        answer = real(claimed)
        seen.append(ours.in_atomic_block)
        return answer

    monkeypatch.setattr(sending, "post", post)
    assert actions.send_due() == 1
    assert (seen, only().status) == ([False, False], "delivered")


def test_old_ones_and_removed_ones_are_forgotten(listen: Listen, receiver: Receiver, client_user: User) -> None:
    kept, _ = listen(client_user, receiver.url)
    gone, _ = listen(client_user, receiver.url)
    moment = now()
    for days, endpoint in ((31, kept), (29, kept), (1, gone)):
        with at(moment - timedelta(days=days)):
            actions.ping_endpoint(endpoint.pk, actor=client_user)
    actions.send_due()
    assert WebhookAttempt.objects.count() == 3
    actions.remove_endpoint(gone.pk, actor=client_user)
    while actions.forget_batch(moment):
        pass
    assert WebhookDelivery.objects.get().created_at == moment - timedelta(days=29)
    assert WebhookAttempt.objects.count() == 1
    assert list(WebhookEndpoint.objects.values_list("pk", flat=True)) == [kept.pk]


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_once(listen: Listen, receiver: Receiver, client_user: User) -> None:
    endpoint, _ = listen(client_user, receiver.url)
    for _ in range(12):
        WebhookDelivery.objects.create(endpoint=endpoint, event_id=uuid.uuid4(), event="ping", body="{}")

    def work() -> int:
        """As a worker does that knows of no other, without the lock that keeps them apart."""
        number = 0
        while claimed := sending.claim(2):
            for one in claimed:
                sending.settle(one, sending.post(one))
                number += 1
        return number

    assert rush([work, work, actions.send_due, actions.send_due]) == ["won"] * 4
    actions.send_due()
    ids = [request.headers["webhook-id"] for request in receiver.seen]
    assert len(ids) == len(set(ids)) == 12
    assert set(WebhookDelivery.objects.values_list("status", "attempts")) == {("delivered", 1)}
