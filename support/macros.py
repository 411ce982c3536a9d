"""Named sequences of kinds: one form, one preview, one submit, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .models import PlanKind

REMIND = "order_remind"  # a step that is no plan of its own

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One kind in a macro. `fill` makes what the kind asks for out of what the form of the macro asked for."""

    kind: str
    fill: Callable[[Said], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Macro:
    """`needs` is what it is about, as with a `PlanForm`. At most one of its steps has limits; they count for it as for a plan of that kind."""

    key: str
    name: str
    intro: str
    needs: tuple[str, ...]
    steps: tuple[Step, ...]
    limited: str = ""


def _told(said: Said) -> dict[str, Any]:
    return {"told": said["told"]}


MACROS = {
    macro.key: macro
    for macro in (
        Macro(
            "late_order",
            "Late order: credit and reminder",
            "The client gets a credit for the waiting, the builder is reminded that the order is late.",
            ("order",),
            (
                Step(PlanKind.CREDIT, lambda said: {"amount": str(said["amount"]), "label": said["label"], "scope": "all"}),
                Step(REMIND, lambda said: {}),
            ),
            limited=PlanKind.CREDIT,
        ),
        Macro(
            "account_taken",
            "Account in wrong hands: hold and suspend",
            "Withdrawals are held until somebody ends the hold, and the account is closed: its sessions end at once.",
            ("person",),
            (Step(PlanKind.HOLD, lambda said: {"do": "hold", "days": None, **_told(said)}), Step(PlanKind.SUSPEND, _told)),
        ),
        Macro(
            "account_back",
            "Account in its owner's hands: reinstate and end the hold",
            "The account is opened again and its withdrawals go on. A second person always decides.",
            ("person",),
            (Step(PlanKind.REINSTATE, lambda said: {}), Step(PlanKind.HOLD, lambda said: {"do": "end"})),
        ),
    )
}
