"""What both backends check and write when something is asked of escrow."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db import transaction
from django.utils.translation import gettext as _

from port444.kit.clock import now
from port444.kit.errors import Conflict, WrongState
from port444.kit.money import ZERO, parse, positive, usd
from port444.kit.sentences import Said, plain
from port444.payments.models import EscrowKind, EscrowOperation

from .deals import NOTHING, Deal, Lent, Position
from .standing import FUNDING, Standing

K = EscrowKind
LONGEST_KEY = 105  # the journal's key puts a word before it, and one is added to what is kept in the ledger
LONGEST_LIFE = timedelta(days=730)  # no escrow can keep a client from their money beyond this
FREE = (K.OPEN, K.EXTEND, K.HOLD)  # amounts of these may be zero


class Asking:
    """See `deals.Escrow` for what each call means. A backend says what happens with the row that was written.

    A deal goes on where it was opened, whatever the settings say by then.
    """

    backend: str
    backends: ClassVar[dict[str, type[Asking]]] = {}

    def __init_subclass__(cls) -> None:
        Asking.backends[cls.backend] = cls

    def _prepare(self, operation: EscrowOperation, opened: EscrowOperation | None) -> None:
        """Fill in what this backend needs, or refuse, before the row is written."""

    def _carry_out(self, operation: EscrowOperation, actor: Any | None) -> None:
        """Go on with the row just written."""
        raise NotImplementedError

    def open(
        self,
        deal: Deal,
        amount: Decimal,
        fee_bps: int,
        key: str,
        *,
        expiry: datetime,
        lent: Lent = NOTHING,
        beside: Deal | None = None,
        actor: Any | None = None,
    ) -> EscrowOperation:
        until = min(expiry, now() + LONGEST_LIFE)
        return self._ask(K.OPEN, deal, amount, key, actor, fee_bps=fee_bps, lent=lent, other=beside, args={"expiry": int(until.timestamp())})

    def amend(self, deal: Deal, additional: Decimal, key: str, *, lent: Lent = NOTHING, actor: Any | None = None) -> EscrowOperation:
        return self._ask(K.AMEND, deal, additional, key, actor, lent=lent)

    def release(self, deal: Deal, amount: Decimal, key: str, *, ruling: bool = False, actor: Any | None = None) -> EscrowOperation:
        return self._ask(K.RELEASE, deal, amount, key, actor, args=_ruled(ruling))

    def refund(
        self, deal: Deal, amount: Decimal, key: str, *, fee: Decimal = ZERO, reason: str | Said = "", ruling: bool = False, actor: Any | None = None
    ) -> EscrowOperation:
        said = {"said": reason.kept()} if isinstance(reason, Said) else {}
        args = {"fee": str(parse(fee)), "reason": plain(reason), **said, **_ruled(ruling)}
        return self._ask(K.REFUND, deal, amount, key, actor, args=args)

    def move(
        self,
        source: Deal,
        target: Deal,
        amount: Decimal,
        key: str,
        *,
        lent: Lent | None = None,
        ruling: bool = False,
        actor: Any | None = None,
    ) -> EscrowOperation:
        args = _ruled(ruling) if lent is None else {**_ruled(ruling), "lent": True}
        return self._ask(K.MOVE, source, amount, key, actor, lent=lent or NOTHING, other=target, args=args)

    def extend(self, deal: Deal, expiry: datetime, key: str, *, actor: Any | None = None) -> EscrowOperation:
        return self._ask(K.EXTEND, deal, ZERO, key, actor, args={"expiry": int(expiry.timestamp())})

    def hold(self, deal: Deal, on: bool, key: str, *, actor: Any | None = None) -> EscrowOperation:
        return self._ask(K.HOLD, deal, ZERO, key, actor, args={"on": on})

    def position(self, deal: Deal) -> Position:
        return Standing.of(deal.id).position

    @transaction.atomic
    def _ask(
        self,
        kind: EscrowKind,
        deal: Deal,
        amount: Decimal,
        key: str,
        actor: Any | None,
        *,
        fee_bps: int | None = None,
        lent: Lent = NOTHING,
        other: Deal | None = None,
        args: dict[str, Any] | None = None,
    ) -> EscrowOperation:
        target = other if kind == K.MOVE else None
        if len(key) > LONGEST_KEY:
            raise ValueError(f"the key of an escrow operation has at most {LONGEST_KEY} characters")
        operation = EscrowOperation(
            op_id=key,
            kind=kind,
            purpose=deal.purpose,
            subject_id=deal.id,
            target_id=target.id if target is not None else None,
            client_id=deal.client_id,
            builder_id=deal.builder_id,
            amount=parse(amount) if kind in FREE else positive(amount),
            prepaid=lent.prepaid,
            gift=lent.gift,
            fee_bps=fee_bps or 0,
            args=args or {},
            backend=self.backend,
            created_at=now(),
        )
        if actor is not None:
            operation.args["actor"] = str(actor.pk)
        done = EscrowOperation.objects.filter(op_id=key).first()
        if done is not None:
            return same(done, operation)
        standing = Standing.of(deal.id)
        opened = standing.opened
        _require_fit(operation, standing, target)
        if opened is not None:
            operation.fee_bps, operation.backend = opened.fee_bps, opened.backend
        elif other is not None:
            opened = _require_open(other)
            operation.backend = opened.backend
        if "lent" in operation.args:
            standing.require_lent(lent, operation.amount)
        elif kind not in FUNDING and operation.amount:
            share = standing.share(kind, operation.amount, operation.fee_bps)
            operation.prepaid, operation.gift = share.prepaid, share.gift
        return Asking.backends[operation.backend]()._write(operation, opened, actor)

    def _write(self, operation: EscrowOperation, opened: EscrowOperation | None, actor: Any | None) -> EscrowOperation:
        self._prepare(operation, opened)
        EscrowOperation.objects.bulk_create([operation], ignore_conflicts=True)
        stored = EscrowOperation.objects.filter(op_id=operation.op_id).first()
        if stored is None:
            raise Conflict(_("The escrow of this deal is being opened already. Please try again."), code="escrow_busy")
        same(stored, operation)
        self._carry_out(stored, actor)
        return stored


def _ruled(ruling: bool) -> dict[str, Any]:
    return {"ruling": True} if ruling else {}


def _require_fit(operation: EscrowOperation, standing: Standing, target: Deal | None) -> None:
    """Refuse what the deal does not allow, counting everything on its way as done."""
    kind, opened, amount = operation.kind, standing.opened, operation.amount
    if kind == K.OPEN:
        if opened is not None:
            raise WrongState(_("The escrow of this deal is open already."), code="escrow_open")
        if operation.args["expiry"] <= operation.created_at.timestamp():
            raise WrongState(_("Escrow ends in the future."), code="escrow_expiry")
        return
    if opened is None:
        raise WrongState(_("Nothing is in escrow for this."), code="escrow_empty")
    if (opened.client_id, opened.builder_id) != (operation.client_id, operation.builder_id):
        raise ValueError(f"escrow of {operation.subject_id} was opened between other people")
    ruling = operation.args.get("ruling", False)
    if kind != K.HOLD and standing.held and not ruling:
        # Money that comes in, too: the contract would refuse it, and a ruling would then wait behind it for ever.
        raise WrongState(_("This deal is in dispute; its money stays where it is until that is decided."), code="escrow_held")
    assert standing.born is not None
    latest = int((standing.born + LONGEST_LIFE).timestamp())
    if kind == K.EXTEND:
        operation.args["expiry"] = min(operation.args["expiry"], latest)
        if standing.expiry is not None and operation.args["expiry"] <= standing.expiry.timestamp():
            raise WrongState(_("The escrow of this deal lasts until then already."), code="escrow_expiry")
    if kind in (*FUNDING, K.EXTEND, K.HOLD):
        return
    if target is not None:
        operation.args["born"] = int(standing.born.timestamp())
        _require_target(operation, opened, target, ruling, latest)
    if amount > standing.locked:
        raise Conflict(
            _("Escrow holds %(locked)s, which is less than %(amount)s.") % {"locked": usd(standing.locked), "amount": usd(amount)},
            code="escrow_short",
        )


def _require_open(beside: Deal) -> EscrowOperation:
    opened = Standing.of(beside.id).opened
    if opened is None:
        raise WrongState(_("Nothing is in escrow for this."), code="escrow_empty")
    return opened


def _require_target(operation: EscrowOperation, opened: EscrowOperation, target: Deal, ruling: bool, latest: int) -> None:
    standing = Standing.of(target.id)
    to = standing.opened
    if target.id == operation.subject_id:
        raise ValueError("money is moved to another deal")
    if to is None:
        raise WrongState(_("Nothing is in escrow for this."), code="escrow_empty")
    if standing.held and not ruling:
        raise WrongState(_("This deal is in dispute; its money stays where it is until that is decided."), code="escrow_held")
    if (to.client_id, to.builder_id) != (target.client_id, target.builder_id):
        raise ValueError(f"escrow of {target.id} was opened between other people")
    if (to.backend, to.chain_id, to.contract) != (opened.backend, opened.chain_id, opened.contract):
        raise WrongState(_("The money of these two is not held in the same place."), code="escrow_apart")
    if to.client_id != opened.client_id or to.args.get("client") != opened.args.get("client"):
        raise WrongState(_("Money moves between deals of one client only."), code="escrow_parties")
    if (to.builder_id != opened.builder_id or to.args.get("builder") != opened.args.get("builder")) and not ruling:
        raise WrongState(_("Only a ruling moves money to a deal with somebody else."), code="escrow_parties")
    if standing.expiry is not None and standing.expiry.timestamp() > latest:
        raise WrongState(_("The other deal would keep this money for longer than escrow may."), code="escrow_life")


def same(done: EscrowOperation, asked: EscrowOperation) -> EscrowOperation:
    """The operation that is there, if it is the one that is asked for."""
    names = ["kind", "purpose", "subject_id", "target_id", "client_id", "builder_id", "amount", "address"]
    if asked.kind == K.OPEN:
        names.append("fee_bps")
    if asked.kind not in (K.WITHDRAW, K.PAY, K.COLLECT):
        names.remove("address")
    told = [(getattr(done, name), getattr(asked, name)) for name in names] + [
        (done.args.get(name), asked.args.get(name)) for name in ("fee", "on", "ruling") if name in asked.args
    ]
    if any(one != other for one, other in told):
        raise ValueError(f"escrow operation {done.op_id!r} exists and asked for something else")
    return done
