"""Plans that take rights from somebody or give them back, and macros, which do several things as one plan."""

from __future__ import annotations

from uuid import UUID

from ninja import Router
from ninja.responses import Status

from port444.accounts.callers import once
from port444.kit.http import UserRequest
from port444.kit.rest import KEY, also, answers
from support import kinds
from support.forms import macros_of
from support.macros import MACROS
from support.models import PlanKind
from support.roles import require
from support.schemas import HoldPayoutsIn, MacroIn, MacroOut, MacrosOut, PlanIn, PlanOut, SuspendIn

from .door import console
from .plans import ASKED, NAMES, asked, drafted, number, person

router = Router(tags=["Console"])


@router.post("/support/users/{uuid:user_id}/suspend", response=ASKED, auth=console("restrict"), openapi_extra=also(KEY), summary="Suspend an account")
@once
def suspend_support_user(request: UserRequest, user_id: UUID, body: SuspendIn) -> Status[PlanOut]:
    """Its sessions and tokens end, nobody can sign in to it, and its owner is told why. Whom it takes two for, it takes two for here (202)."""
    said = {"person": person(user_id), "told": body.told, "reason": body.reason}
    return asked(request, drafted(request, PlanKind.SUSPEND, said), preview=body.preview)


@router.post(
    "/support/users/{uuid:user_id}/reinstate", response=ASKED, auth=console("restrict"), openapi_extra=also(KEY), summary="Reinstate an account"
)
@once
def reinstate_support_user(request: UserRequest, user_id: UUID, body: PlanIn) -> Status[PlanOut]:
    """Giving rights back takes a second person (202)."""
    return asked(request, drafted(request, PlanKind.REINSTATE, {"person": person(user_id), "reason": body.reason}), preview=body.preview)


@router.post(
    "/support/users/{uuid:user_id}/payouts", response=ASKED, auth=console("restrict"), openapi_extra=also(KEY), summary="Hold withdrawals, or end it"
)
@once
def hold_support_payouts(request: UserRequest, user_id: UUID, body: HoldPayoutsIn) -> Status[PlanOut]:
    """Those that have not left and those asked for later, or one of them. Ending a hold takes a second person (202)."""
    said = {"person": person(user_id), "do": body.do, "told": body.told or "", "days": str(body.days or ""), "reason": body.reason}
    said |= {"withdrawal": str(body.withdrawal_id or ""), "hold": str(body.hold_id or "")}
    return asked(request, drafted(request, PlanKind.HOLD, said), preview=body.preview)


@router.get("/support/macros", response=answers(200, MacrosOut), auth=console(), summary="What is done in several steps at once")
def list_support_macros(request: UserRequest) -> MacrosOut:
    """Those whose every step you may take."""
    return MacrosOut(
        items=[
            MacroOut(key=macro.key, name=macro.name, intro=macro.intro, needs=[NAMES[name] for name in macro.needs])
            for macro in macros_of(request.user)
        ]
    )


@router.post("/support/macros", response=ASKED, auth=console(), openapi_extra=also(KEY), summary="Run a macro")
@once
def run_support_macro(request: UserRequest, body: MacroIn) -> Status[PlanOut]:
    """All its steps or none of them, as one plan. Limits and second persons are those of the steps."""
    for step in MACROS[body.macro].steps if body.macro in MACROS else ():
        if kinds.is_known(step.kind):
            require(request.user, kinds.of(step.kind).permission)
    said = {"macro": body.macro, "label": body.label, "told": body.told, "reason": body.reason}
    if body.amount is not None:
        said["amount"] = str(body.amount)
    if body.user_id is not None:
        said["person"] = person(body.user_id)
    if body.order_id is not None:
        said["order"] = number(body.order_id)
    return asked(request, drafted(request, PlanKind.MACRO, said), preview=body.preview)
