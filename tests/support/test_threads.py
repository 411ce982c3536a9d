"""Private conversations: hidden until somebody says why, open for half an hour, and written down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from auditlog.events import Event
from auditlog.models import AuditLog
from port444.accounts.models import User
from port444.kit import clock
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed
from port444.kit.ids import uuid7
from port444.messaging.actions import open_conversation, send_message
from port444.messaging.models import Conversation
from support.actions import open_thread
from support.models import ActionType, SupportAction, ThreadOpening

pytestmark = pytest.mark.django_db
Browse = Callable[[User | None], Client]


@pytest.fixture
def talk(client_user: User, builder_user: User) -> Conversation:
    conversation = open_conversation(client_user, builder_user, actor=client_user)
    for n in range(3):
        send_message(conversation.pk, actor=client_user, body=f"My words {n}", client_key=uuid7())
    return conversation


def page(talk: Conversation) -> str:
    return reverse("support:thread", args=[talk.pk])


def door(talk: Conversation) -> str:
    return reverse("support:open_thread", args=[talk.pk])


def nothing_opened() -> bool:
    opened = AuditLog.objects.filter(event_type=Event.THREAD_OPENED.key)
    return not (ThreadOpening.objects.exists() or SupportAction.objects.exists() or opened.exists())


def test_the_text_is_hidden_until_there_is_a_reason(browse: Browse, agent: User, talk: Conversation, client_user: User) -> None:
    client = browse(agent)
    said = client.get(page(talk)).content.decode()
    assert "My words" not in said
    assert "The text is hidden" in said
    answer = client.post(door(talk), {"reason": "The order page fails for both"}, follow=True)
    said = answer.content.decode()
    assert "My words 0" in said
    assert "My words 2" in said
    opening = ThreadOpening.objects.get()
    assert (opening.agent, opening.reason, opening.closes_at - opening.opened_at) == (agent, "The order page fails for both", timedelta(minutes=30))
    action = SupportAction.objects.get()
    assert (action.action_type, action.admin, action.target_user, action.reason) == (ActionType.THREAD_OPENED, agent, client_user, opening.reason)
    row = AuditLog.objects.get(event_type=Event.THREAD_OPENED.key)
    assert (row.actor_id, row.target_id, row.metadata["reason"]) == (agent.pk, talk.pk, opening.reason)


def test_it_closes_by_itself_and_for_everybody_else_it_is_closed(browse: Browse, agent: User, senior: User, talk: Conversation) -> None:
    open_thread(talk.pk, actor=agent, reason="Case")
    moment = now()
    assert "My words" in browse(agent).get(page(talk)).content.decode()
    assert "My words" not in browse(senior).get(page(talk)).content.decode()
    with clock.at(moment + timedelta(minutes=31)):
        assert "My words" not in browse(agent).get(page(talk)).content.decode()


def test_opening_it_again_changes_nothing_while_it_is_open(agent: User, talk: Conversation) -> None:
    first = open_thread(talk.pk, actor=agent, reason="Case")
    assert open_thread(talk.pk, actor=agent, reason="Another").pk == first.pk
    assert SupportAction.objects.count() == ThreadOpening.objects.count() == 1
    with clock.at(now() + timedelta(minutes=31)):
        assert open_thread(talk.pk, actor=agent, reason="Another").pk != first.pk


@pytest.mark.parametrize("who", ["finance", "auditor"])
def test_who_may_not_open_is_told_so(browse: Browse, request: pytest.FixtureRequest, talk: Conversation, who: str) -> None:
    user = request.getfixturevalue(who)
    client = browse(user)
    assert client.get(page(talk)).status_code == client.post(door(talk), {"reason": "Case"}).status_code == 403
    with pytest.raises(NotAllowed):
        open_thread(talk.pk, actor=user, reason="Case")
    assert nothing_opened()


def test_nobody_else_learns_of_it(browse: Browse, client_user: User, stranger: User, talk: Conversation) -> None:
    for user in (client_user, stranger):
        assert browse(user).get(page(talk)).status_code == 404
        assert browse(user).post(door(talk), {"reason": "Case"}).status_code == 404
    assert nothing_opened()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 601, "Ca\x00se"])
def test_without_a_reason_it_stays_closed(browse: Browse, agent: User, talk: Conversation, reason: str) -> None:
    answer = browse(agent).post(door(talk), {"reason": reason})
    assert answer.status_code == 422
    assert "The text is hidden" in answer.content.decode()
    assert nothing_opened()


def test_the_action_asks_for_a_reason_itself(agent: User, talk: Conversation) -> None:
    for reason in (" ", "x" * 601):
        with pytest.raises(Invalid):
            open_thread(talk.pk, actor=agent, reason=reason)
    assert nothing_opened()


def test_ones_own_conversation_is_not_opened_here(browse: Browse, agent: User, builder_user: User) -> None:
    own = open_conversation(agent, builder_user, actor=agent)
    assert browse(agent).post(door(own), {"reason": "Case"}).status_code == 403
    assert nothing_opened()


def test_a_long_conversation_goes_on_by_place(browse: Browse, agent: User, talk: Conversation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("support.views.threads"), "PAGE", 5)
    open_thread(talk.pk, actor=agent, reason="Case")
    for n in range(5):
        send_message(talk.pk, actor=talk.client, body=f"More {n}", client_key=uuid7())
    client = browse(agent)
    newest = client.get(page(talk))
    assert [message.body for message in newest.context["messages_shown"]] == [f"More {n}" for n in range(5)]
    older = client.get(page(talk), {"before": newest.context["older"]})
    assert [message.body for message in older.context["messages_shown"]] == [f"My words {n}" for n in range(3)]
    assert older.context["older"] == ""
    for wrong in ("x", str(uuid7())):
        assert client.get(page(talk), {"before": wrong}).status_code == 404


def test_the_questions_are_fixed(browse: Browse, agent: User, talk: Conversation) -> None:
    open_thread(talk.pk, actor=agent, reason="Case")
    client, counts = browse(agent), []
    client.get(page(talk))
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            client.get(page(talk))
        counts.append(len(seen))
        send_message(talk.pk, actor=talk.builder, body="More", client_key=uuid7())
    assert counts[0] == counts[1] == 10
