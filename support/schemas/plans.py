"""What the API says of plans, and what they begin with."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text, same
from port444.payments.models import CreditScope
from support.models import Plan, PlanKind, PlanStatus

from .shared import CODE, PREVIEW, REASON, TOLD


class FigureOut(Out):
    label: str
    before: str
    after: str
    note: str
    is_sum: bool


class PlanRow(Row):
    id: UUID
    number: int = Field(description="As people call it: A-<number>", examples=[612])
    kind: PlanKind
    status: PlanStatus
    title: str
    reason: str
    amount: Money
    requester: PersonOut
    user_id: UUID | None
    order_id: UUID | None
    other_order_id: UUID | None
    dispute_id: UUID | None
    undoes: UUID | None
    needs_approval: bool
    why_approval: str
    created_at: Moment
    requested_at: Moment | None
    expires_at: Moment | None
    approver: PersonOut | None = Field(description="Who approved or declined it")
    decided_at: Moment | None
    decision_note: str
    executed_at: Moment | None
    error: str


class PlanOut(PlanRow):
    figures: list[FigureOut]
    tells: list[str] = Field(description="Who will read what")
    blocked: list[str] = Field(description="Why it cannot be done now")
    seen: str = Field(
        description="Names these figures. Submit and approve send it back: nothing else is done than what was seen",
        max_length=64,
        examples=["5f" * 32],
    )
    differs: bool = Field(description="Whether the figures of now are others than those that were asked for")
    cannot_decide: str = Field(description="Why you cannot approve or decline it; empty when you can")
    made: str | None = Field(description="What an executed plan made: the id of a credit, the number of an order")


class PlansOut(Out):
    items: list[PlanRow]
    next: str | None


class SubmitIn(In):
    seen: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$", examples=["5f" * 32])


class ApproveIn(In):
    seen: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$", examples=["5f" * 32])
    code: str = CODE
    note: Text = Field("", max_length=600)


class PlanDeclineIn(In):
    note: Text = Field(min_length=1, max_length=600)


class PlanIn(In):
    reason: Text = REASON
    preview: bool = PREVIEW


class CreditIn(PlanIn):
    user_id: UUID
    amount: Amount = Field(gt=0)
    label: Text = Field(min_length=1, max_length=120, description="What it is for. The person reads it", examples=["Sorry for the late delivery"])
    last_day: date | None = Field(None, description="That day counts, to its end in UTC; ninety days when left out")
    scope: CreditScope = CreditScope.ALL
    builder: Text = Field("", max_length=80, description="For a credit for one builder: the last part of the address of the profile")
    category: Text = Field("", max_length=80, description="For a credit for one category: its slug")


class VoidIn(PlanIn):
    told: Text = TOLD


class SuspendIn(PlanIn):
    told: Text = TOLD


class HoldPayoutsIn(PlanIn):
    do: Literal["hold", "end"] = "hold"
    told: Text | SkipJsonSchema[None] = Field(
        None, min_length=10, max_length=300, description="Needed for a hold. The person reads it, word for word"
    )
    days: Literal[3, 7, 14, 30] | SkipJsonSchema[None] = Field(None, description="Until it is ended, when left out")
    withdrawal_id: UUID | SkipJsonSchema[None] = Field(None, description="One withdrawal, and not all that leaves and is asked for")
    hold_id: UUID | SkipJsonSchema[None] = Field(None, description="One hold that is ended, and not all of them")


class MacroIn(PlanIn):
    """What its steps ask for, and nothing else of these."""

    macro: Text = Field(max_length=40, examples=["late_order"])
    user_id: UUID | SkipJsonSchema[None] = None
    order_id: UUID | SkipJsonSchema[None] = None
    amount: Amount | SkipJsonSchema[None] = Field(None, description="Of a credit")
    label: Text = Field("", max_length=120, description="What a credit is for. The person reads it")
    told: Text = Field("", max_length=300, description="The person reads it, word for word")


class MacroOut(Out):
    key: str = Field(examples=["late_order"])
    name: str
    intro: str
    needs: list[str] = Field(examples=[["order_id"]])


class MacrosOut(Out):
    items: list[MacroOut]


class MergeIn(PlanIn):
    order_id: UUID
    other_order_id: UUID


class SplitIn(PlanIn):
    order_id: UUID
    title: Text = Field(min_length=1, max_length=90, description="Of the new order")
    price: Amount = Field(description="Of the new order; the rest stays")
    deliverables: list[int] = Field(default_factory=list, max_length=100, description="Their places in the order, from 0")
    revisions: int = Field(0, ge=0, le=1000, description="That go along")


class RefundIn(PlanIn):
    order_id: UUID | None = None
    user_id: UUID | None = Field(None, description="The builder of a withdrawal that went out in part; else leave it out")
    what: Literal["scope", "cancel", "goodwill", "duplicate", "rest"] = "scope"
    amount: Amount | None = Field(None, description="For scope and goodwill")
    why: Literal["", "less_work", "quality", "late", "mistake", "goodwill"] = Field("", description="What the credit note says; both sides read it")


def _plan(plan: Plan) -> dict[str, Any]:
    return same(plan, PlanRow) | {
        "title": plan.figures.get("title", plan.get_kind_display()),
        "requester": person_out(plan.requester),
        "user_id": plan.target_user_id,
        "undoes": plan.undoes_id,
        "approver": person_out(plan.approver) if plan.approver is not None else None,
    }


def plan_row(plan: Plan) -> PlanRow:
    return PlanRow(**_plan(plan))


def plan_out(plan: Plan, shown: dict[str, Any], *, differs: bool, fails: str, cannot_decide: str) -> PlanOut:
    """`shown` is what is to be looked at now (see `actions.look_at_plan`)."""
    told = _plan(plan) | {
        "title": shown.get("title", plan.get_kind_display()),
        "needs_approval": shown["needs_approval"],
        "why_approval": shown["why"],
    }
    made = plan.result.get("credit") or plan.result.get("order")
    return PlanOut(
        **told,
        figures=[FigureOut(**{name: figure[name] for name in FigureOut.model_fields}) for figure in shown.get("figures", ())],
        tells=list(shown.get("tells", ())),
        blocked=[fails] if fails else list(shown.get("blocked", ())),
        seen=shown["sha256"],
        differs=differs,
        cannot_decide=cannot_decide,
        made=str(made) if made else None,
    )
