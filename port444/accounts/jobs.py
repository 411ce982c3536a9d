from __future__ import annotations

from uuid import UUID

from port444.kit import jobs
from port444.kit.clock import now

from . import actions
from .models import QueuedMail

AT_ONCE = 200


def send_mail(mail_id: str) -> None:
    """Send one queued mail; a failing mail server makes the queue try again."""
    actions.send_mail(UUID(mail_id))


def send_mails() -> None:
    """Every five minutes: send what the queue has given up on."""
    moment = now()
    late = QueuedMail.objects.free(moment).filter(created_at__lt=moment - QueuedMail.PATIENCE, created_at__gte=moment - actions.MAIL_LIVES)
    jobs.each(actions.send_mail, list(late.order_by("created_at").values_list("pk", flat=True)[:AT_ONCE]))


def forget() -> None:
    """Daily: remove old mails and ended sessions."""
    actions.forget()
