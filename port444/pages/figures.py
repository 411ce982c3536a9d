"""The figures of the help pages, each read where the code that keeps to it reads it: no page types one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.utils.translation import ngettext

from amendments.actions.proposing import MOST_A_DAY as CHANGES_A_DAY
from consultations.actions.booking import MOST_HOLDS
from consultations.models import ANSWER_TIME, REPORT_AFTER, CallSettings
from consultations.models.attendance import SUGGESTED_FOR
from consultations.models.calls import COMPLETE_AFTER_HOURS, JOIN_MINUTES
from consultations.models.reminders import AHEAD, ReminderKind
from consultations.queries.meetings import JOIN_AFTER_MINUTES
from port444.builders.models import ESTABLISHED_FROM, LEAST_TOLD, TOP_FROM, TOP_TENTHS
from port444.exports.actions import CLOSING_DAYS, KEPT_DAYS
from port444.kit import money
from port444.kit.language import number
from port444.orders.actions.asking import MOST_MORE
from port444.orders.actions.disputes import MOST_OF_ORDER
from port444.orders.actions.offers import MOST_A_DAY as OFFERS_A_DAY
from port444.orders.models.nudges import AFTER, NudgeKind
from support.actions.threads import STAYS_OPEN
from support.models.viewings import LASTS

EXAMPLE = Decimal("100.00")


def figures() -> dict[str, str]:
    """Each figure in words, by the name that the pages use."""
    client_fee, builder_fee = money.fee(EXAMPLE, settings.CLIENT_FEE_BPS), money.fee(EXAMPLE, settings.BUILDER_FEE_BPS)
    call = CallSettings()
    return {
        # money
        "client_fee": percent(settings.CLIENT_FEE_BPS),
        "builder_fee": percent(settings.BUILDER_FEE_BPS),
        "example": money.usd(EXAMPLE),
        "example_client_fee": money.usd(client_fee),
        "example_total": money.usd(EXAMPLE + client_fee),
        "example_builder_fee": money.usd(builder_fee),
        "example_earned": money.usd(EXAMPLE - builder_fee),
        "wallet_fee": money.usd(settings.WITHDRAWAL_FEE["wallet"]),
        "bank_fee": money.usd(settings.WITHDRAWAL_FEE["bank"]),
        "wallet_least": money.usd(settings.LEAST_WITHDRAWAL["wallet"]),
        "bank_least": money.usd(settings.LEAST_WITHDRAWAL["bank"]),
        "most_a_day": money.usd(settings.MOST_WITHDRAWN_A_DAY),
        "clearing": days(settings.CLEARING_DAYS),
        "rest": hours(settings.PAYOUT_REST_HOURS),
        "grace": days(settings.ESCROW_GRACE_DAYS),
        "credit": days(settings.CREDIT_DAYS),
        # orders
        "payment": minutes(settings.PAYMENT_MINUTES),
        "requirements": days(settings.REQUIREMENTS_DAYS),
        "remind_first": span(AFTER[NudgeKind.ANSWERS_24H]),
        "remind_last": span(AFTER[NudgeKind.ANSWERS_72H]),
        "remind_review": span(AFTER[NudgeKind.REVIEW_48H]),
        "review": days(settings.REVIEW_DAYS),
        "revision": days(settings.REVISION_DAYS),
        "more_questions": str(MOST_MORE),
        "parting": hours(settings.PARTING_HOURS),
        "amendment": hours(settings.AMENDMENT_HOURS),
        "extension": hours(settings.EXTENSION_HOURS),
        "changes_a_day": str(CHANGES_A_DAY),
        "offer": hours(settings.OFFER_HOURS),
        "offer_most": days(settings.OFFER_DAYS_AT_MOST),
        "offers_a_day": str(OFFERS_A_DAY),
        # disputes
        "dispute_answer": hours(settings.DISPUTE_ANSWER_HOURS),
        "dispute_settle": hours(settings.DISPUTE_SETTLE_HOURS),
        "disputes": str(MOST_OF_ORDER),
        # calls
        "hold": minutes(settings.HOLD_MINUTES),
        "holds": str(MOST_HOLDS),
        "notice": hours(settings.CALL_NOTICE_HOURS),
        "horizon": days(settings.CALL_HORIZON_DAYS),
        "free_time": hours(call.free_hours),
        "moves": str(call.move_limit),
        "move_time": hours(call.move_hours),
        "proposal": hours(settings.PROPOSAL_HOURS),
        "remind_day": span(AHEAD[ReminderKind.DAY]),
        "remind_hour": span(AHEAD[ReminderKind.HOUR]),
        "join_before": minutes(JOIN_MINUTES),
        "join_after": minutes(JOIN_AFTER_MINUTES),
        "call_done": hours(COMPLETE_AFTER_HOURS),
        "absent_after": span(REPORT_AFTER),
        "absence_answer": span(ANSWER_TIME),
        "absence_asked": span(SUGGESTED_FOR),
        # away
        "long_away": days(settings.LONG_AWAY_DAYS),
        "objection": hours(settings.OBJECTION_HOURS),
        "exit": hours(settings.EXIT_HOURS),
        # reviews and levels
        "blind": days(settings.REVIEWS_BLIND_DAYS),
        "reply": hours(settings.REPLY_HOURS),
        "established": str(ESTABLISHED_FROM),
        "top": str(TOP_FROM),
        "top_stars": number(Decimal(TOP_TENTHS) / 10, 1),
        "least_told": str(LEAST_TOLD),
        # files, data, support
        "file_size": f"{settings.UPLOAD_MAX_BYTES // 2**20} MB",
        "files": str(settings.UPLOAD_MAX_FILES),
        "viewing": span(LASTS),
        "thread_open": span(STAYS_OPEN),
        "copy_kept": days(KEPT_DAYS),
        "closing": days(CLOSING_DAYS),
    }


def percent(bps: int) -> str:
    share = Decimal(bps) / 100
    return f"{number(share, 0 if share == int(share) else 1 if share * 10 == int(share * 10) else 2)}%"


def days(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def hours(count: int) -> str:
    return ngettext("%(count)s hour", "%(count)s hours", count) % {"count": count}


def minutes(count: int) -> str:
    return ngettext("%(count)s minute", "%(count)s minutes", count) % {"count": count}


def span(length: timedelta) -> str:
    """In hours where they are whole, else in minutes."""
    whole, rest = divmod(int(length.total_seconds()), 3600)
    return minutes(whole * 60 + rest // 60) if rest else hours(whole)
