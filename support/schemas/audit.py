"""What the API says of the audit log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import Field

from auditlog.models import AuditLog
from port444.kit.rest import Moment, Out, Row, same


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
    told = same(row, AuditLogRow)
    told |= {name: told[name] or "" for name in ("user_agent", "currency", "transaction_hash", "action", "description", "actor_type", "target_type")}
    told |= {"amount": None if row.amount is None else f"{row.amount.normalize():f}", "metadata": row.metadata or {}}
    told |= {"kept": kept, "exported_to_cold_storage": exported_at is not None or kept == "away", "exported_at": exported_at}
    return AuditLogRow(**told)
