"""What the API says of people, of what waits for staff, of what staff did, and of viewings."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from port444.accounts.models import User
from port444.accounts.schemas import PersonOut, person_out
from port444.kit.rest import In, Moment, Money, Out, Row, Text, same
from support.models import ActionType, SupportAction, Viewing

from .shared import CODE


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
    return ViewingOut(**same(viewing, ViewingOut), user_id=viewing.subject_id)


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
    return SupportActionRow(
        **same(row, SupportActionRow)
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
