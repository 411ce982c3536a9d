"""What the API says about people and their tokens."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from port444.kit.rest import Moment, Out, Row

from .models import ApiToken, User


class MeOut(Out):
    id: UUID
    name: str
    email: str
    is_client: bool
    is_builder: bool
    is_staff: bool
    time_zone: str = Field(examples=["Europe/Amsterdam"])
    language: str
    phone: str
    created_at: Moment


class PersonOut(Out):
    """Somebody else, as everybody with whom they have to do sees them."""

    id: UUID
    name: str


class TokenRow(Row):
    id: UUID
    name: str
    start: str = Field(description="Its first characters", examples=["p444_x7Rk9"])
    scopes: list[str]
    created_at: Moment
    expires_at: Moment
    last_used_at: Moment | None
    revoked_at: Moment | None


class TokensOut(Out):
    items: list[TokenRow]
    next: str | None


def me_out(user: User) -> MeOut:
    return MeOut.model_validate(user, from_attributes=True)


def person_out(user: User) -> PersonOut:
    return PersonOut(id=user.pk, name=user.name)


def token_row(token: ApiToken) -> TokenRow:
    return TokenRow.model_validate(token, from_attributes=True)
