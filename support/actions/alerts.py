"""What follows from an incident by itself: staff are told, and withdrawals of those concerned wait. Nobody is suspended by a program.

Once when it opens and when it rises; what is found again, or is a weak sign, stands in the daily digest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.urls import reverse

from auditlog.actions import note
from auditlog.models import LIVE, Channel, EventKind, IncidentAlert, IncidentEvent, IncidentLog, IncidentSeverity, Suppression
from port444.accounts.models import User
from port444.kit import outbound, signed
from port444.kit.clock import now
from port444.kit.errors import DomainError
from port444.kit.jobs import enqueue
from port444.kit.money import usd
from port444.notifications.actions import Notice, notify_many
from port444.payments.actions import hold_withdrawal, hold_withdrawals_of
from port444.payments.models import PayoutHold
from support.roles import who_may

HOLD = timedelta(hours=72)  # at most, by a program
HELD = "We are looking at something unusual around your account. This takes at most 72 hours; you do not have to do anything."
MOST_TOLD = 50  # members of staff
MOST_HELD = 50  # people of one incident
WAITS = (1, 5, 15, 60, 240, 720)  # minutes before the next try
BATCH = 100
DAY = timedelta(days=1)


def on_incident(event: IncidentEvent, hold_at: int | None) -> None:
    """Write down who is to be told of an incident that opened or rose, in its transaction, and have its withdrawals wait."""
    incident = event.incident
    if event.kind not in (EventKind.OPENED, EventKind.RAISED):
        return
    if incident.severity != IncidentSeverity.LOW:
        _tell_staff(incident, event)
        for channel in _channels(incident):
            alert = IncidentAlert.objects.create(incident=incident, event=event, channel=channel, created_at=event.at, next_try_at=event.at)
            enqueue("support.jobs.send_alert", alert.pk)
    if hold_at is not None and incident.confidence >= hold_at:
        incident.hold_wanted_at = event.at  # nothing of theirs is sent until that is done
        incident.save(update_fields=["hold_wanted_at"])
        enqueue("support.jobs.hold_for", incident.pk)


def _channels(incident: IncidentLog) -> list[Channel]:
    """A room of chat is read by all of the staff, so nothing is said there of what is about one of them; the others are told by mail."""
    channels = [(Channel.SLACK, settings.ALERT_SLACK_URL), (Channel.WEBHOOK, settings.ALERT_WEBHOOK_URL)]
    if settings.ALERT_SLACK_URL and User.objects.filter(pk__in=incident.people, is_staff=True).exists():
        channels = channels[1:]
    return [channel for channel, address in channels if address]


def readers(incident: IncidentLog | None = None) -> list[User]:
    """The staff who are told: whoever works on incidents, and nobody of their own case."""
    concerned = incident.people if incident is not None else []
    return list(who_may("see_incidents").filter(Q(is_superuser=True) | Q(groups__name="Security")).exclude(pk__in=concerned)[:MOST_TOLD])


def _tell_staff(incident: IncidentLog, event: IncidentEvent) -> None:
    told = readers(incident)
    if not told:
        return
    rises = event.kind == EventKind.RAISED
    context = {"facts": [[label, value] for label, value in _facts(incident)], "label": "Look at it"}
    notify_many(
        [
            Notice(
                user=one,
                kind="incident.alert",
                title=f"{incident} {'has risen to' if rises else 'is'} {incident.severity}: {incident.description}"[:200],
                body=incident.description,
                url=_address(incident),
                dedupe_key=f"incident:{event.pk}",
                context=context,
            )
            for one in told
        ]
    )
    incident.alert_sent, incident.alert_sent_at = True, event.at
    incident.alerted_admins = list(dict.fromkeys([*incident.alerted_admins, *(one.pk for one in told)]))
    incident.save(update_fields=["alert_sent", "alert_sent_at", "alerted_admins"])
    note(incident, EventKind.ALERTED, f"Told {len(told)} of the staff")


def _facts(incident: IncidentLog) -> list[tuple[str, str]]:
    facts = [("Severity", incident.severity), ("Confidence", f"{incident.confidence} of 100")]
    if incident.potential_loss is not None:
        facts.append(("Can be lost", usd(incident.potential_loss)))
    return [*facts, *(("Why", f"{reason['points']:+d} {reason['text']}") for reason in incident.reasons[:8])]


def _address(incident: IncidentLog) -> str:
    return reverse("support:incident", args=[incident.number])


# Channels to the outside


def alerts_due(moment: datetime) -> Sequence[UUID]:
    """Alerts that nobody has got yet and that may be tried."""
    waiting = IncidentAlert.objects.filter(sent_at__isnull=True, given_up_at__isnull=True, next_try_at__lte=moment)
    return list(waiting.order_by("next_try_at").values_list("pk", flat=True)[:BATCH])


def send_alert(alert_id: UUID) -> None:
    """Try to tell a channel once. A try is written down before it is made, so that a second worker waits for its outcome."""
    moment = now()
    with transaction.atomic():
        alert = IncidentAlert.objects.select_for_update(of=("self",), no_key=True).select_related("incident", "event").get(pk=alert_id)
        if alert.sent_at or alert.given_up_at or alert.next_try_at > moment:
            return
        alert.tries += 1
        alert.next_try_at = moment + timedelta(minutes=WAITS[min(alert.tries, len(WAITS)) - 1])
        alert.save(update_fields=["tries", "next_try_at"])
    error = _post(alert, moment)
    outcome: dict[str, Any] = {"error": error[:300]}
    if not error:
        outcome["sent_at"] = now()
    elif alert.tries >= len(WAITS):
        outcome["given_up_at"] = now()
    IncidentAlert.objects.filter(pk=alert.pk, sent_at__isnull=True).update(**outcome)


def _post(alert: IncidentAlert, moment: datetime) -> str:
    """What went wrong; nothing when the channel took it. The address is a secret and is not in the words."""
    if alert.channel == Channel.SLACK:
        address, body, headers = settings.ALERT_SLACK_URL, json.dumps(_slack(alert)), {}
    else:
        address, body = settings.ALERT_WEBHOOK_URL, json.dumps(_facts_as_json(alert))
        headers = signed.headers(str(alert.pk), int(moment.timestamp()), body.encode(), settings.ALERT_WEBHOOK_SECRETS)
    if not address:
        return "The channel is not set any more."
    try:
        answer = outbound.session().post(address, data=body.encode(), headers={"Content-Type": "application/json", **headers})
    except requests.RequestException as error:
        return type(error).__name__
    return "" if answer.ok else f"Answered {answer.status_code}"


def _slack(alert: IncidentAlert) -> dict[str, Any]:
    incident = alert.incident
    link = f"{settings.SITE_URL}{_address(incident)}"
    title = _plain(f"{incident} {incident.severity}: {incident.description}"[:280])
    facts = "\n".join(f"*{label}* {_plain(value)}" for label, value in _facts(incident))
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": f"<{link}|{title}>"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": facts[:2900]}},
    ]
    return {"text": title, "blocks": blocks}


def _plain(text: str) -> str:
    """As Slack wants it: what people wrote mentions nobody and links nowhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _facts_as_json(alert: IncidentAlert) -> dict[str, Any]:
    incident = alert.incident
    return {
        "type": f"incident.{alert.event.kind}",
        "timestamp": alert.event.at.isoformat(),
        "data": {
            "id": str(incident.pk),
            "number": incident.number,
            "incident_type": incident.incident_type,
            "severity": incident.severity,
            "confidence": incident.confidence,
            "status": incident.status,
            "description": incident.description,
            "detector": incident.detector,
            "user_ids": [str(one) for one in incident.people],
            "withdrawal_id": str(incident.withdrawal_id) if incident.withdrawal_id else None,
            "potential_loss": str(incident.potential_loss) if incident.potential_loss is not None else None,
            "reasons": incident.reasons,
            "url": f"{settings.SITE_URL}{_address(incident)}",
        },
    }


# Holds


def holds_due(moment: datetime) -> Sequence[UUID]:
    """Incidents whose job to hold withdrawals has not done it in a minute."""
    waiting = IncidentLog.objects.filter(hold_wanted_at__lte=moment - timedelta(minutes=1)).order_by("hold_wanted_at")
    return list(waiting.values_list("pk", flat=True)[:BATCH])


def hold_for(incident_id: UUID) -> int:
    """Have the withdrawals of everybody in an incident wait, or just the one that it is about; how many holds stand for it.

    Once for an incident and at most 72 hours: who was held for it already is not held again by a program.
    """
    incident = whole = IncidentLog.objects.get(pk=incident_id)
    while whole.merged_into is not None:  # it goes on there
        whole = whole.merged_into
    made = _hold_all(incident) if whole.status in LIVE else 0
    # Raised once more meanwhile, it has a job of its own for that.
    IncidentLog.objects.filter(pk=incident.pk, hold_wanted_at=incident.hold_wanted_at).update(hold_wanted_at=None)
    return made


def _hold_all(incident: IncidentLog) -> int:
    until = now() + HOLD
    made = 0
    known = set(PayoutHold.objects.filter(incident_id=incident.pk).values_list("user_id", flat=True))
    if incident.withdrawal_id is not None:
        if not known:
            made += _hold_one(incident, until)
    else:
        builders = User.objects.filter(pk__in=[one for one in incident.people if one not in known], is_builder=True).order_by("pk")
        for person in builders.values_list("pk", flat=True)[:MOST_HELD]:
            hold_withdrawals_of(person, reason=HELD, incident=incident.pk, actor=None, until=until)
            made += 1
    if made:
        note(incident, EventKind.HELD, f"{made} until {until:%d %b %H:%M} UTC, who they belong to is told")
    return made


def _hold_one(incident: IncidentLog, until: datetime) -> int:
    assert incident.withdrawal_id is not None
    try:
        hold_withdrawal(incident.withdrawal_id, reason=HELD, incident=incident.pk, actor=None, until=until)
    except DomainError:  # it has left already
        return 0
    return 1


# What was found without an alert


def send_digest(moment: datetime) -> int:
    """Tell staff what the last day brought that nobody was told of: weak signs, what was found again, what is overdue, what was kept
    quiet. Nobody is told of what is about themselves, not even in a number. Who has nothing to read gets nothing; how many were told."""
    lines = [(one, _digest(moment, one)) for one in readers()]
    told = [
        Notice(
            user=one,
            kind="incident.digest",
            title="Incidents of the last day",
            body="What was found without an alert of its own.",
            url=reverse("support:incidents"),
            dedupe_key=f"incident-digest:{moment:%Y-%m-%d}",
            context={"facts": said, "label": "Look at incidents"},
        )
        for one, said in lines
        if said
    ]
    if told:
        notify_many(told)
    return len(told)


def _digest(moment: datetime, reader: User) -> list[list[str]]:
    seen = IncidentLog.objects.visible_to(reader)
    rows = seen.live().aggregate(
        weak=Count("pk", filter=Q(severity=IncidentSeverity.LOW, detected_at__gt=moment - DAY)),
        again=Count("pk", filter=Q(hits__gt=1, last_hit_at__gt=moment - DAY, detected_at__lte=moment - DAY)),
        overdue=Count("pk", filter=~Q(severity=IncidentSeverity.LOW) & Q(due_at__lt=moment)),
        loss=Sum("potential_loss", filter=~Q(severity=IncidentSeverity.LOW)),
    )
    quiet = Suppression.objects.filter(incident__in=seen, last_hit_at__gt=moment - DAY, ended_at__isnull=True).count()
    lines = [
        ("Weak signs", rows["weak"]),
        ("Found again", rows["again"]),
        ("Overdue", rows["overdue"]),
        ("Kept quiet, and found again", quiet),
    ]
    said = [[label, str(number)] for label, number in lines if number]
    return [*said, ["Can still be lost", usd(rows["loss"])]] if said and rows["loss"] else said
