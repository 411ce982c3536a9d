"""What the API says about the console's work."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from auditlog.models import AuditLog, IncidentEvent, IncidentLog, IncidentSeverity, IncidentStatus, IncidentType, Verdict
from port444.accounts.models import User
from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import Amount, In, Moment, Money, Out, Row, Text
from port444.orders.models import Dispute, DisputeStatus
from port444.payments.models import CreditScope

from .models import ActionType, Plan, PlanKind, PlanStatus, SupportAction, Viewing

REASON = Field(min_length=1, max_length=600, description="Staff read it, now and later", examples=["Ticket 5531: late by a week"])
PREVIEW = Field(False, description="Only work out what it comes to: the answer is a draft, which is submitted with the figures that were seen")
CODE = Field(
    "", max_length=20, description="From the authenticator app. A browser that gave one within ten minutes may leave it out", examples=["492039"]
)

# The log


class AuditLogRow(Row):
    id: int = Field(examples=[90210])
    timestamp: Moment
    event_type: str = Field(examples=["escrow.released"])
    event_category: str
    severity: str
    actor_type: str
    actor_id: UUID | None
    actor_email: str
    on_behalf_of: UUID | None = Field(description="Whom somebody of the staff was looking as")
    target_type: str
    target_id: UUID | None
    action: str
    description: str
    before_state: dict[str, Any] | None
    after_state: dict[str, Any] | None
    metadata: dict[str, Any]
    amount: str | None = Field(description="Exact, with as many places as it has", examples=["120"])
    currency: str
    transaction_hash: str
    ip_address: str | None
    user_agent: str
    request_id: UUID | None
    device_id: UUID | None
    kept: str = Field(description="`here`; `away`, in cold storage, of which only what is searched by is known; or `lost`", examples=["here"])
    exported_to_cold_storage: bool
    exported_at: Moment | None


class AuditLogsOut(Out):
    items: list[AuditLogRow]
    next: str | None
    searched_to: Moment | None = Field(description="How far was looked, where that is not yet a page and not the end; `next` goes on from there")


def audit_log_row(row: AuditLog, *, kept: str, exported_at: Any) -> AuditLogRow:
    told = {name: getattr(row, name) for name in AuditLogRow.model_fields if hasattr(row, name)}
    told |= {name: told[name] or "" for name in ("user_agent", "currency", "transaction_hash", "action", "description", "actor_type", "target_type")}
    told |= {"amount": None if row.amount is None else f"{row.amount.normalize():f}", "metadata": row.metadata or {}}
    told |= {"kept": kept, "exported_to_cold_storage": exported_at is not None or kept == "away", "exported_at": exported_at}
    return AuditLogRow(**told)


# Incidents


class IncidentRow(Row):
    id: UUID
    number: int = Field(description="As people call it: I-<number>")
    incident_type: IncidentType
    severity: IncidentSeverity
    status: IncidentStatus
    detection_method: str
    detector: str = Field(description="Empty when no detector found it")
    detected_at: Moment
    due_at: Moment
    hits: int
    last_hit_at: Moment
    user_id: UUID | None
    related_users: list[UUID]
    description: str
    pattern: str
    confidence: int = Field(description="Of 100")
    potential_loss: Money | None
    actual_loss: Money | None
    assigned_to: UUID | None
    investigated_at: Moment | None
    resolved_by: UUID | None
    resolved_at: Moment | None
    resolution: str
    action_taken: str
    verdict: str
    withdrawal_id: UUID | None
    merged_into: UUID | None
    closing_asked_by: UUID | None = Field(description="Who wants to close it in a way that a second person has to agree to")
    approved_by: UUID | None = Field(description="Who that second person was")
    alert_sent: bool
    alert_sent_at: Moment | None
    created_at: Moment
    updated_at: Moment


class IncidentReason(Out):
    points: int
    text: str
    fact: str
    link: str


class IncidentStep(Out):
    at: Moment
    kind: str
    by: UUID | None = Field(description="Empty for what the platform did by itself")
    text: str


class IncidentQuestion(Out):
    key: str
    text: str
    done: bool


class IncidentHold(Out):
    id: UUID
    user_id: UUID
    withdrawal_id: UUID | None
    until: Moment | None


class IncidentOut(IncidentRow):
    people: list[PersonOut]
    reasons: list[IncidentReason] = Field(description="Their points are the confidence")
    evidence: dict[str, Any]
    ip_addresses: list[str]
    device_fingerprints: list[UUID]
    investigation_notes: str
    checklist: list[IncidentQuestion]
    events: list[IncidentStep] = Field(description="Newest first, the last 60")
    holds: list[IncidentHold]
    like_it: int = Field(description="Closed ones of the same detector that were about as sure")
    like_it_confirmed: int


class IncidentsOut(Out):
    items: list[IncidentRow]
    next: str | None


class TakenOut(Out):
    incident: IncidentOut | None = Field(description="Null when nothing waits that nobody has")


class InvestigateIn(In):
    note: Text = Field("", max_length=2000, description="What is known already")


class NoteIn(In):
    text: Text = Field(min_length=1, max_length=2000)


class AssignIn(In):
    user_id: UUID = Field(description="Somebody who works on incidents; oneself to take it over")


class ReopenIn(In):
    reason: Text = Field(min_length=1, max_length=2000)


class CodeIn(In):
    code: str = CODE


class NextIn(In):
    weak: bool = Field(False, description="Of the weak signals")


class ResolveIn(In):
    status: Literal["resolved", "false_positive"]
    reason: Text = Field(min_length=1, max_length=2000)
    verdict: Verdict = Field(description="confirmed or inconclusive with resolved; household, team or harmless with false_positive")
    action_taken: Literal["no_action", "warning_issued", "account_suspended"] = Field(
        "no_action", description="Suspensions are plans: what one person may not do alone waits for a second one"
    )
    people: list[UUID] = Field(default_factory=list, max_length=200, description="Whom the action concerns")
    told: Text = Field("", max_length=300, description="What they read, word for word")
    actual_loss: Amount | None = None
    days: int = Field(90, ge=1, le=180, description="For which a false positive stays quiet")
    note: Text = Field("", max_length=2000)


class HoldIn(In):
    reason: Text = Field(min_length=1, max_length=2000)
    people: list[UUID] = Field(default_factory=list, max_length=200)
    withdrawal: bool = Field(False, description="The withdrawal that it is about")
    told: Text = Field("", max_length=300, description="What they read. Empty: what a hold usually says")
    hours: int = Field(72, ge=1, le=72)


def incident_row(row: IncidentLog) -> IncidentRow:
    return IncidentRow(**_incident(row))


def _incident(row: IncidentLog) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in IncidentRow.model_fields if name != "merged_into"}
    return told | {"merged_into": row.merged_into_id}


def incident_out(row: IncidentLog, look: Any, events: list[IncidentEvent]) -> IncidentOut:
    return IncidentOut(
        **_incident(row) | {"merged_into": look.whole.pk if look.whole is not None else None},
        people=[PersonOut(id=face.pk, name=face.name) for face in look.people],
        reasons=[IncidentReason(points=int(bar.points), text=bar.text, fact=bar.fact, link=bar.link) for bar in look.bars],
        evidence=row.evidence,
        ip_addresses=[str(one) for one in row.ip_addresses],
        device_fingerprints=row.device_fingerprints,
        investigation_notes=row.investigation_notes,
        checklist=[IncidentQuestion(key=item.key, text=item.text, done=item.done) for item in look.items],
        events=[IncidentStep(at=event.at, kind=event.kind, by=event.actor_id, text=event.text) for event in events],
        holds=[IncidentHold(id=hold.pk, user_id=hold.user_id, withdrawal_id=hold.withdrawal_id, until=hold.until) for hold in look.holds],
        like_it=look.right[1],
        like_it_confirmed=look.right[0],
    )


# People


class SupportUserRow(Row):
    id: UUID
    name: str
    email: str
    is_client: bool
    is_builder: bool
    is_staff: bool
    is_suspended: bool
    created_at: Moment


class SupportUsersOut(Out):
    items: list[SupportUserRow]


class SideOut(Out):
    """Orders that somebody bought, or that they sold; of the newest 5,000."""

    count: int
    active: int
    completed: int
    cancelled: int


class MetricsOut(Out):
    bought: SideOut
    sold: SideOut
    success: int | None = Field(description="Of the orders that are over, how many of 100 were completed")
    rating: str | None = Field(examples=["4.9"])
    reviews: int
    spent: Money
    earned: Money
    in_escrow: Money
    credits: Money
    credits_end: Moment | None


class UserHold(Out):
    id: UUID
    reason: str
    withdrawal_id: UUID | None
    until: Moment | None
    made_at: Moment


class Named(Out):
    """Something open, by its id and by what people call it."""

    id: UUID
    name: str = Field(examples=["D-7"])
    status: str


class SupportUserOut(SupportUserRow):
    suspension_reason: str
    time_zone: str
    language: str
    phone: str
    email_verified: bool
    second_factor: bool
    last_seen_at: Moment | None
    builder_id: UUID | None
    metrics: MetricsOut
    holds: list[UserHold]
    open_disputes: list[Named]
    open_plans: list[Named]
    risk: int | None = Field(description="Of 100: the surest incident that nobody has decided. Null where your group sees no incidents")
    open_incidents: list[Named]


def support_user_row(user: User) -> SupportUserRow:
    return SupportUserRow(**{name: getattr(user, name) for name in SupportUserRow.model_fields})


# Plans


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
    seen: str = Field(description="Names these figures. Submit and approve send it back: nothing else is done than what was seen", max_length=64)
    differs: bool = Field(description="Whether the figures of now are others than those that were asked for")
    cannot_decide: str = Field(description="Why you cannot approve or decline it; empty when you can")
    made: str | None = Field(description="What an executed plan made: the id of a credit, the number of an order")


class PlansOut(Out):
    items: list[PlanRow]
    next: str | None


class SubmitIn(In):
    seen: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")


class ApproveIn(In):
    seen: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")
    code: str = CODE
    note: Text = Field("", max_length=600)


class DeclineIn(In):
    note: Text = Field(min_length=1, max_length=600)


class CreditIn(In):
    user_id: UUID
    amount: Amount = Field(gt=0)
    label: Text = Field(min_length=1, max_length=120, description="What it is for. The person reads it", examples=["Sorry for the late delivery"])
    last_day: date | None = Field(None, description="That day counts, to its end in UTC; ninety days when left out")
    scope: CreditScope = CreditScope.ALL
    builder: Text = Field("", max_length=80, description="For a credit for one builder: the last part of the address of the profile")
    category: Text = Field("", max_length=80, description="For a credit for one category: its slug")
    reason: Text = REASON
    preview: bool = PREVIEW


class MergeIn(In):
    order_id: UUID
    other_order_id: UUID
    reason: Text = REASON
    preview: bool = PREVIEW


class SplitIn(In):
    order_id: UUID
    title: Text = Field(min_length=1, max_length=90, description="Of the new order")
    price: Amount = Field(description="Of the new order; the rest stays")
    deliverables: list[int] = Field(default_factory=list, max_length=100, description="Their places in the order, from 0")
    revisions: int = Field(0, ge=0, le=1000, description="That go along")
    reason: Text = REASON
    preview: bool = PREVIEW


class RefundIn(In):
    order_id: UUID | None = None
    user_id: UUID | None = Field(None, description="The builder of a withdrawal that went out in part; else leave it out")
    what: Literal["scope", "cancel", "goodwill", "duplicate", "rest"] = "scope"
    amount: Amount | None = Field(None, description="For scope and goodwill")
    why: Literal["", "less_work", "quality", "late", "mistake", "goodwill"] = Field("", description="What the credit note says; both sides read it")
    reason: Text = REASON
    preview: bool = PREVIEW


def _plan(plan: Plan) -> dict[str, Any]:
    same = {name: getattr(plan, name) for name in PlanRow.model_fields if hasattr(plan, name)}
    return same | {
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


# Disputes


class SupportDisputeRow(Row):
    id: UUID
    number: int = Field(description="As people call it: D-<number>")
    order_id: UUID
    order_number: int
    client: PersonOut
    builder: PersonOut
    status: DisputeStatus
    reason: str
    opened_by: PersonOut
    amount: Money = Field(description="In escrow, of which it is about")
    to_client: Money = Field(description="What who opened it wants to go back to the client")
    offer: Money | None = Field(description="What the other side would give back")
    opened_at: Moment
    answered_at: Moment | None
    escalated_at: Moment | None
    closed_at: Moment | None


class DisputePiece(Out):
    by: PersonOut
    at: Moment
    text: str
    files: list[str]


class SupportDisputeOut(SupportDisputeRow):
    claim: str | None = Field(description="Null where your group does not read what is between the two")
    answer: str | None
    pieces: list[DisputePiece] | None
    decision: str
    plans: list[PlanRow]


class SupportDisputesOut(Out):
    items: list[SupportDisputeRow]
    next: str | None


class DecideIn(In):
    to_client: Amount = Field(description="What goes back to the client; the rest is the builder's. Nothing is 0.00")
    decision: Text = Field(min_length=1, max_length=2000, description="Both sides read it")
    reason: Text = REASON
    preview: bool = PREVIEW


# Looking, and what staff did


class ImpersonateIn(In):
    user_id: UUID
    reason: Text = Field(min_length=1, max_length=600, description="The person can read it")
    reference: Text = Field(min_length=1, max_length=40, description="An order, a dispute, an incident or a plan", examples=["P4-1052"])
    code: str = CODE


class ViewingOut(Out):
    id: UUID
    number: int = Field(description="As people call it: V-<number>")
    user_id: UUID
    reason: str
    reference: str
    read_only: bool = True
    started_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    end_reason: str
    pages: int
    refused: int


class ImpersonationOut(ViewingOut):
    token: str = Field(description="For the header Port444-View. It opens nothing without the credentials of who began the viewing")


def viewing_out(viewing: Viewing) -> ViewingOut:
    told = {name: getattr(viewing, name) for name in ViewingOut.model_fields if hasattr(viewing, name)}
    return ViewingOut(**told, user_id=viewing.subject_id)


class SupportActionRow(Row):
    id: UUID
    number: int
    action_type: ActionType
    admin: PersonOut
    admin_email: str
    user_id: UUID | None
    user_email: str
    user_type: str
    description: str
    reason: str
    order_id: UUID | None
    related_orders: list[UUID]
    plan_id: UUID | None
    amount: Money | None
    requires_approval: bool
    approved_by: PersonOut | None
    approved_at: Moment | None
    success: bool
    error_message: str
    ip_address: str | None
    created_at: Moment


class SupportActionsOut(Out):
    items: list[SupportActionRow]
    next: str | None


def action_row(row: SupportAction) -> SupportActionRow:
    told = {name: getattr(row, name) for name in SupportActionRow.model_fields if hasattr(row, name)}
    return SupportActionRow(
        **told
        | {
            "admin": person_out(row.admin),
            "user_id": row.target_user_id,
            "user_email": row.target_user_email,
            "user_type": row.target_user_type,
            "approved_by": person_out(row.approved_by) if row.approved_by is not None else None,
        }
    )


class QueueOut(Out):
    key: str
    name: str
    count: int = Field(description="Counted to 1,000 of each of its tables")
    overdue: int
    due_soon: int
    oldest: Moment | None
    next_due: Moment | None
    amount: Money


class QueuesOut(Out):
    items: list[QueueOut]


def dispute_row(found: Dispute) -> SupportDisputeRow:
    return SupportDisputeRow(**dispute_facts(found))


def dispute_facts(found: Dispute) -> dict[str, Any]:
    told = {name: getattr(found, name) for name in SupportDisputeRow.model_fields if hasattr(found, name)}
    return told | {
        "order_number": found.order.number,
        "client": person_out(found.order.client),
        "builder": person_out(found.order.builder.user),
        "opened_by": person_out(found.opened_by),
        "to_client": found.to_client or Decimal(0),
    }
