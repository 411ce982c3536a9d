from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from port444.accounts.models import User
from port444.messaging.actions import open_conversation, send_message


@pytest.mark.parametrize("path", ["notifications/notification", "notifications/delivery", "messaging/conversation", "messaging/attachment"])
def test_staff_look_and_change_nothing(client: Client, settings: Any, path: str, staff: User, client_user: User, builder_user: User) -> None:
    settings.STAFF_SECOND_FACTOR = False
    conversation = open_conversation(client_user, builder_user, actor=client_user)
    upload = SimpleUploadedFile("a.txt", b"hello")
    message = send_message(conversation.pk, actor=client_user, body="Our secret", client_key=uuid4(), uploads=[upload])
    client.force_login(client_user)
    assert client.get(f"/console/{path}/").status_code in (302, 403, 404)
    client.force_login(staff)
    answer = client.get(f"/console/{path}/")
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == 1
    pk = {"messaging/conversation": conversation.pk, "messaging/attachment": message.attachments.get().pk}.get(path)
    if pk is not None:
        page = client.get(f"/console/{path}/{pk}/change/")
        assert page.status_code == 200
        assert "Our secret" not in page.content.decode()
    assert client.get(f"/console/{path}/add/").status_code == 403
