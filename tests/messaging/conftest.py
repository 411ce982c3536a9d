from __future__ import annotations

import pytest

from port444.accounts.models import User
from port444.messaging.actions import open_conversation
from port444.messaging.models import Conversation


@pytest.fixture
def conversation(client_user: User, builder_user: User) -> Conversation:
    return open_conversation(client_user, builder_user, actor=client_user)
