from __future__ import annotations

import threading
from uuid import UUID

import pytest
from django.db import connection

from port444.accounts.models import User
from port444.kit.errors import Invalid, NotAllowed
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation


def test_two_people_have_one_conversation(client_user: User, builder_user: User) -> None:
    first = open_conversation(client_user, builder_user, actor=client_user)
    assert open_conversation(client_user, builder_user, actor=builder_user) == first
    assert (first.client, first.builder) == (client_user, builder_user)


def test_a_stranger_and_oneself(client_user: User, builder_user: User, stranger: User) -> None:
    with pytest.raises(NotAllowed):
        open_conversation(client_user, builder_user, actor=stranger)
    with pytest.raises(Invalid):
        open_conversation(builder_user, builder_user, actor=builder_user)
    assert not Conversation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_opened_twice_at_once_is_one(client_user: User, builder_user: User) -> None:
    found: list[UUID] = []
    together = threading.Barrier(2)

    def work() -> None:
        try:
            connection.ensure_connection()
            together.wait(10)
            found.append(open_conversation(client_user, builder_user, actor=client_user).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 2
    assert len(set(found)) == 1
