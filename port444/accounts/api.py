"""The API of a person's own account."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from port444.kit.errors import NotAllowed
from port444.kit.http import UserRequest
from port444.kit.rest import Paging, answers, page, tagged

from . import actions
from .callers import may
from .models import ApiToken
from .schemas import MeOut, TokenRow, TokensOut, me_out, token_row

router = Router(tags=["Account"])


@router.get("/me", response=answers(200, MeOut), auth=may(), summary="Who you are")
def get_me(request: UserRequest, response: HttpResponse) -> MeOut:
    tagged(response, request.user)
    return me_out(request.user)


@router.get("/tokens", response=answers(200, TokensOut), auth=may(), summary="Your tokens")
def list_tokens(request: UserRequest, paging: Query[Paging]) -> HttpResponse:
    """Newest first, those that are over included. A token is made on the page of your settings, where you confirm who you are."""
    return page(request, paging, ApiToken.objects.filter(user=request.user), TokenRow, token_row)


@router.delete("/tokens/{uuid:token_id}", response=answers(200, TokenRow), auth=may(), summary="Revoke a token")
def revoke_token(request: UserRequest, token_id: UUID) -> TokenRow:
    """From the next request on it opens nothing. A token may revoke itself alone; who is signed in, all of theirs."""
    token = get_object_or_404(ApiToken, pk=token_id, user=request.user)
    if request.api_token not in (None, token):
        raise NotAllowed("A token revokes itself alone. Sign in to revoke the others.", code="other_token")
    return token_row(actions.revoke_token(token.pk, actor=request.user))
