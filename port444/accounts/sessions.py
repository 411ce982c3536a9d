"""Sessions in the database that know whose they are. Named by SESSION_ENGINE."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db

from port444.kit import context

from .models import Session

SUSPENDED = "suspended_user"


class SessionStore(db.SessionStore):
    """Django's database sessions with two columns more: the user and the browser."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: Any) -> Session:
        session: Session = super().create_model_instance(data)  # type: ignore[assignment]  # the stubs know Django's model alone
        user_id = data.get(SESSION_KEY)
        session.user_id = UUID(user_id) if user_id else None
        session.device_id = context.current().device_id
        return session


def told_of_suspension(user_id: UUID) -> str:
    """The content of a session that is nobody's any more, but remembers whom to tell why."""
    return SessionStore().encode({SUSPENDED: str(user_id)})
