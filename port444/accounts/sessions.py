"""Sessions in the database that know whose they are. Named by SESSION_ENGINE."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

from port444.kit import context

from .models import Session

SUSPENDED = "suspended_user"
# Seconds since 1970 by the clock of the machine, which is also what Django and allauth ask about sessions.
BEGAN, USED = "began", "used"


class SessionStore(db.SessionStore):
    """Django's database sessions with two columns more, the user and the browser, that know when somebody signed in and was there last."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: Any) -> Session:
        if SESSION_KEY in data:
            data[USED] = int(time.time())
            data.setdefault(BEGAN, data[USED])
        session: Session = super().create_model_instance(data)  # type: ignore[assignment]  # the stubs know Django's model alone
        user_id = data.get(SESSION_KEY)
        session.user_id = UUID(user_id) if user_id else None
        session.device_id = context.current().device_id
        return session


def ages(session: Any) -> tuple[float, float]:
    """How many seconds ago somebody signed in, and since when the session was not used."""
    moment = time.time()
    return moment - session.get(BEGAN, 0), moment - session.get(USED, 0)


def told_of_suspension(user_id: UUID) -> str:
    """The content of a session that is nobody's any more, but remembers whom to tell why."""
    return SessionStore().encode({SUSPENDED: str(user_id)})
