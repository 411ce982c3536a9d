"""Reminders of a call: planned when it is scheduled, sent once, passed over when they come too late or the call has changed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from consultations import emails
from consultations.models import AHEAD, WORTH_UNTIL, Consultation, ConsultationStatus, Reminder, ReminderKind, ReminderStatus
from port444.kit.clock import now
from port444.kit.errors import WrongState
from port444.notifications.actions import notify

R = ReminderStatus
KINDS = {ReminderKind.DAY: "call_reminder_24h", ReminderKind.HOUR: "call_reminder_1h"}


def plan_reminders(consultation: Consultation, moment: datetime) -> None:
    """Write the reminders of a call that has just been scheduled, for both people; again changes nothing.

    Those whose time has passed already are written as too late, so that a call booked half an hour ahead brings none. A call that
    ends or moves needs no call to this: its reminders see at their time that it is not scheduled any more.
    """
    if consultation.status != ConsultationStatus.SCHEDULED:
        return
    rows = []
    for kind, ahead in AHEAD.items():
        due_at = consultation.scheduled_at - ahead
        state: dict[str, object] = {"status": R.SKIPPED_LATE, "settled_at": moment} if due_at <= moment else {}
        for reader in (consultation.client, consultation.builder.user):
            rows.append(Reminder(consultation=consultation, recipient=reader, kind=kind, due_at=due_at, **state))
    Reminder.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def send_reminder(reminder_id: UUID) -> Reminder:
    """Send one reminder that is due, or settle it unsent. Told and marked in one transaction: once, whatever dies when.

    Raises WrongState when it is settled already, or when somebody else has the call or the reminder in hand; the next sweep
    comes back to it.
    """
    call_id = Reminder.objects.values_list("consultation_id", flat=True).get(pk=reminder_id)
    calls = Consultation.objects.select_related("builder__user", "client").select_for_update(of=("self",), no_key=True, skip_locked=True)
    call = calls.filter(pk=call_id).first()  # locked, so that it cannot be cancelled between the question and the answer
    rows = Reminder.objects.select_related("recipient").select_for_update(of=("self",), no_key=True, skip_locked=True)
    reminder = rows.filter(pk=reminder_id).first() if call is not None else None
    if call is None or reminder is None:
        raise WrongState(_("This call is in somebody else's hands just now."), code="busy")
    moment = now()
    if reminder.status != R.DUE or reminder.due_at > moment:
        raise WrongState(_("This reminder is not due."))
    kind = ReminderKind(reminder.kind)
    if call.status != ConsultationStatus.SCHEDULED:
        reminder.move_to(R.SKIPPED_GONE, settled_at=moment)
    elif moment >= call.scheduled_at - WORTH_UNTIL[kind]:
        reminder.move_to(R.SKIPPED_LATE, settled_at=moment)
    else:
        said = emails.reminder(call, reminder.recipient, kind)
        notify(
            reminder.recipient,
            KINDS[kind],
            title=said.title,
            body=said.body,
            url=call.url,
            dedupe_key=f"call_reminder:{reminder.pk}",
            context=emails.reminder_context(call, reminder.recipient),
            moment=moment,
        )
        reminder.move_to(R.SENT, settled_at=moment)
    return reminder
