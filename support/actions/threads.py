"""Reading what two people wrote to each other."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction

from auditlog.actions import record
from auditlog.events import Event
from auditlog.models import ActorType
from port444.accounts.models import User
from port444.kit.clock import now
from port444.kit.errors import Invalid, NotAllowed
from port444.messaging.models import Conversation
from support.models import ActionType, ThreadOpening
from support.roles import require

from .records import note_action

STAYS_OPEN = timedelta(minutes=30)
LONGEST_REASON = 600


@transaction.atomic
def open_thread(conversation_id: UUID, *, actor: User, reason: str) -> ThreadOpening:
    """Let `actor` read a private conversation for half an hour. While it is open for them, opening it again changes nothing."""
    conversation = Conversation.objects.select_related("client", "builder").select_for_update(of=("self",), no_key=True).get(pk=conversation_id)
    require(actor, "open_threads")
    if conversation.is_party(actor):
        raise NotAllowed("Your own conversations are on the site, not here.", code="own_case")
    said = reason.strip()
    if not said:
        raise Invalid("Say why you have to read it.", code="reason_missing")
    if len(said) > LONGEST_REASON:
        raise Invalid(f"Say it in {LONGEST_REASON} characters.", code="reason_long")
    moment = now()
    stands = ThreadOpening.objects.filter(conversation=conversation, agent=actor, closes_at__gt=moment).first()
    if stands is not None:
        return stands
    opening = ThreadOpening.objects.create(conversation=conversation, agent=actor, reason=said, opened_at=moment, closes_at=moment + STAYS_OPEN)
    record(
        Event.THREAD_OPENED,
        actor=actor,
        as_a=ActorType.ADMIN,
        target=conversation,
        opening=opening.pk,
        reason=said,
        client=conversation.client_id,
        builder=conversation.builder_id,
    )
    # The list of acts has one person for each: the one who hires here; the conversation names both.
    note_action(
        ActionType.THREAD_OPENED,
        actor=actor,
        description=f"Opened the conversation of {conversation.client.name} and {conversation.builder.name}",
        reason=said,
        target_user=conversation.client,
    )
    return opening
