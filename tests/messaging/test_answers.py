from __future__ import annotations

import random
import statistics
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from port444.accounts.models import User
from port444.builders.models import Builder
from port444.kit.clock import now
from port444.kit.ids import uuid7
from port444.messaging.actions import count_answers_batch, open_conversation, send_message
from port444.messaging.models import Conversation, FirstAnswer, Message

Make = Callable[..., User]


def write(talk: Conversation, author: User, at: datetime) -> None:
    Message.objects.create(conversation=talk, author=author, body="Hello", created_at=at)


@pytest.mark.parametrize("has_been_away", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_the_median_is_that_of_a_plain_model(builder: Builder, make_user: Make, seed: int, has_been_away: bool) -> None:
    """First answers to clients who began, in 90 days, without the time away; whatever else is written does not count."""
    luck, moment = random.Random(seed), now()
    away_from = moment - timedelta(days=luck.randint(2, 20))
    if has_been_away:
        Builder.objects.update(away_paused_at=away_from, away_from=away_from, away_until=away_from + timedelta(days=1))
    waits, n = [], luck.randint(5, 14)
    for i in range(n):
        client = make_user(f"Client{i} Of{seed}")
        talk = open_conversation(client, builder.user, actor=client)
        begun, begins = moment - timedelta(minutes=luck.randint(2000, 150_000)), luck.random() < 0.8
        if not begins:
            write(talk, builder.user, begun - timedelta(minutes=9))
        write(talk, client, begun)
        write(talk, client, begun + timedelta(minutes=1))
        if luck.random() < 0.15:
            continue
        answered = begun + timedelta(minutes=luck.randint(1, 1900))
        write(talk, builder.user, answered)
        write(talk, builder.user, answered + timedelta(minutes=5))
        if begins and answered > moment - timedelta(days=90):
            away = min(answered, away_from + timedelta(days=1)) - max(begun, away_from)
            waits.append((answered - begun - max(away, timedelta(0)) * has_been_away) // timedelta(minutes=1))
    count_answers_batch(moment, 1000)
    builder.refresh_from_db()
    assert builder.answer_count == len(waits)
    assert builder.answer_minutes == (int(statistics.median(waits)) if waits else None)


def test_an_answer_ceases_to_count_and_a_sweep_repeats_nothing(builder: Builder, client_user: User) -> None:
    talk = open_conversation(client_user, builder.user, actor=client_user)
    send_message(talk.pk, actor=client_user, body="Hello", client_key=uuid7())
    assert FirstAnswer.objects.get().answered_at is None
    send_message(talk.pk, actor=builder.user, body="Good day", client_key=uuid7())
    moment = now()
    assert count_answers_batch(moment, 10) == 1
    assert count_answers_batch(moment, 10) == 0
    builder.refresh_from_db()
    assert (builder.answer_count, builder.answer_minutes) == (1, 0)
    assert count_answers_batch(moment + timedelta(days=91), 10) == 1
    assert count_answers_batch(moment + timedelta(days=200), 10) == 0
    builder.refresh_from_db()
    assert (builder.answer_count, builder.answer_minutes) == (0, None)
