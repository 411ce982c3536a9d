"""What a conversation says while the builder is away."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit import clock
from port444.messaging.actions import send_message
from port444.messaging.models import Conversation, Message, MessageKind
from port444.notifications.models import Notification

DAY = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BACK = datetime(2026, 11, 29, 18, 30, tzinfo=UTC)  # midnight in Kolkata: the 30th begins there


def send(conversation: Conversation, actor: User, body: str = "Hello") -> Message:
    return send_message(conversation.pk, actor=actor, body=body, client_key=uuid4())


def notices() -> list[str]:
    return list(Message.objects.filter(kind=MessageKind.NOTICE).values_list("body", flat=True))


@pytest.fixture
def away(builder: Builder) -> Builder:
    Builder.objects.filter(pk=builder.pk).update(
        away_from=DAY - timedelta(hours=1), away_until=BACK, away_paused_at=DAY - timedelta(days=2), away_message="In the mountains."
    )
    builder.refresh_from_db()
    return builder


def test_a_client_is_told_once_for_a_span(conversation: Conversation, client_user: User, away: Builder) -> None:
    with clock.at(DAY):
        first = send(conversation, client_user)
        send(conversation, client_user, "Are you there?")
    assert notices() == ["Anaya is away, and back on Sun 29 Nov, 19:30. Your message waits here until then. Anaya says: “In the mountains.”"]
    assert Message.objects.get(kind=MessageKind.NOTICE).created_at > first.created_at
    assert Notification.objects.count() == 1, "of the message, to the builder"
    Builder.objects.update(away_until=BACK + timedelta(days=3))
    with clock.at(DAY + timedelta(days=1)):
        send(conversation, client_user, "A longer one?")
    assert len(notices()) == 1, "the same span, only longer"
    Builder.objects.update(away_from=BACK + timedelta(days=10), away_until=BACK + timedelta(days=12), away_paused_at=DAY + timedelta(days=9))
    with clock.at(BACK + timedelta(days=11)):
        send(conversation, client_user, "And now?")
    assert len(notices()) == 2, "another span"


@pytest.mark.parametrize("moment", [DAY - timedelta(hours=2), BACK])
def test_who_is_there_answers_in_person(conversation: Conversation, client_user: User, away: Builder, moment: datetime) -> None:
    with clock.at(moment):
        send(conversation, client_user)
    assert notices() == []


def test_the_builder_writes_while_away(conversation: Conversation, builder_user: User, away: Builder) -> None:
    with clock.at(DAY):
        send(conversation, builder_user)
    assert notices() == []


@pytest.mark.django_db(transaction=True)
def test_two_messages_at_once_bring_one_answer(conversation: Conversation, client_user: User, away: Builder) -> None:
    together = threading.Barrier(2)
    sent: list[Message] = []

    def work() -> None:
        try:
            connection.ensure_connection()
            with clock.at(DAY):
                together.wait(10)
                sent.append(send(conversation, client_user))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(sent) == 2
    assert len(notices()) == 1


def test_the_thread_says_it_to_both(conversation: Conversation, client: Client, client_user: User, builder_user: User, away: Builder) -> None:
    pages = []
    with clock.at(DAY):
        for person in (client_user, builder_user):
            client.force_login(person)
            pages.append(client.get(conversation.get_absolute_url()).content.decode())
    with clock.at(DAY + timedelta(minutes=1)):
        send(conversation, client_user)
        pages.append(client.get(conversation.get_absolute_url()).content.decode())
    assert "Anaya is away, and back on Sun 29 Nov, 19:30." in pages[0], "in Amsterdam it is still Sunday"
    assert "You are away, and back on Mon 30 Nov." in pages[1]
    assert "Jonas is told once, when they write" in pages[1]
    assert "Jonas was told once" in pages[2]
    with clock.at(DAY + timedelta(minutes=2)):
        client.force_login(client_user)
        html = client.get(conversation.get_absolute_url()).content.decode()
    assert html.count("Anaya is away, and back on Sun 29 Nov, 19:30.") == 2, "in the line of the feed and of the inbox, and not a third time"


def test_a_text_starts_the_rest_and_a_notice_does_not(conversation: Conversation, client_user: User, away: Builder) -> None:
    assert conversation.rests_at is None
    with clock.at(DAY):
        send(conversation, client_user)
    conversation.refresh_from_db()
    assert conversation.rests_at == DAY + timedelta(hours=24)
    assert conversation.last_message_at > DAY, "the notice came after it"
