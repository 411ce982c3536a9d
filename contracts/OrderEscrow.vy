# pragma version ==0.4.3
# pragma evm-version cancun
"""
@title  OrderEscrow: one pool of USDC, one row for each order
@notice The platform's calls carry an `opId`, which can be consumed once, ever: a call that is sent again cannot move money
        twice. Money of orders comes from the caller (the platform's float) and leaves only as a claim of the order's own
        client, the order's own builder or the fee recipient; a claim is paid out (pull) to the account that has it.
        Every amount is a multiple of 10,000 units, a cent: the platform's books have two places.
@dev    Not upgradable. A new version is a new contract at a new address, and orders end where they were opened.
        Written for port444; no code of others is in it. What it owes to whom:
        base/commerce-payments AuthCaptureEscrow, MIT (money moves only along paths the payer agreed to, the payer's timed
        exit, the balance must grow by just the amount), circlefin/refund-protocol, Apache-2.0 (refunds by an arbiter),
        kleros/escrow-contracts, MIT (partial payments, disputes that end), RequestNetwork's escrow, MIT (a freeze that ends),
        sablier-labs/lockup, read only (totals of what is owed, surplus can be recovered), the audit contest codehawks
        2023-07-escrow (pushed payments let one blocked party lock all).
"""
from ethereum.ercs import IERC20

struct Order:
    client: address
    builder: address
    locked: uint256      # still held for this order
    sponsored: uint256   # of `locked`: what the platform lent; never the client's
    funded: uint256      # ever paid in, and moved in less moved out
    released: uint256    # gross, with the fee and what went back to the platform
    refunded: uint256    # with what went back to the platform
    expiry: uint64       # from here on the client may take back what is locked
    feeBps: uint16
    hold: bool           # in dispute: only the arbiter settles
    created: uint64      # when the oldest money in it was locked: moved money brings its age along

event EscrowCreated:
    orderId: indexed(uint256)
    opId: indexed(bytes32)
    client: indexed(address)
    builder: address
    amount: uint256
    sponsored: uint256
    feeBps: uint16
    expiry: uint64

event EscrowAmended:
    orderId: indexed(uint256)
    opId: indexed(bytes32)
    payer: indexed(address)
    additionalAmount: uint256
    sponsored: uint256
    locked: uint256

event EscrowReleased:
    orderId: indexed(uint256)
    opId: indexed(bytes32)
    builder: indexed(address)
    gross: uint256
    fee: uint256
    sponsorBack: uint256
    locked: uint256

event EscrowRefunded:
    orderId: indexed(uint256)
    opId: indexed(bytes32)  # zero: the client reclaimed it
    client: indexed(address)
    amount: uint256
    sponsorBack: uint256
    locked: uint256

event EscrowMoved:
    fromOrder: indexed(uint256)
    toOrder: indexed(uint256)
    opId: indexed(bytes32)
    amount: uint256
    sponsored: uint256
    fromLocked: uint256
    toLocked: uint256

event ExpiryExtended:
    orderId: indexed(uint256)
    opId: indexed(bytes32)
    expiry: uint64

event HoldSet:
    orderId: indexed(uint256)
    opId: indexed(bytes32)
    hold: bool

event Withdrawn:
    account: indexed(address)
    opId: indexed(bytes32)  # zero: the account took it itself
    amount: uint256

event Paid:
    account: indexed(address)
    opId: indexed(bytes32)
    amount: uint256

event RoleSet:
    role: indexed(uint256)
    account: indexed(address)
    enabled: bool

event Paused:
    account: indexed(address)
    paused: bool

event FeeRecipientSet:
    account: indexed(address)

event AdminTransfer:
    current: indexed(address)
    pending: indexed(address)
    accepted: bool

event SurplusSwept:
    to: indexed(address)
    amount: uint256

flag Role:
    OPERATOR    # 1: the platform's worker, a key that is always at hand
    ARBITER     # 2: staff who settle disputes, a colder key
    GUARDIAN    # 4: may only pause

CENT: constant(uint256) = 10_000
MAX_FEE_BPS: constant(uint256) = 3000
BPS: constant(uint256) = 10_000
MAX_LIFE: constant(uint256) = 730 * 86400    # no key can put off the client's exit beyond this
HOLD_GRACE: constant(uint256) = 90 * 86400   # a dispute cannot freeze money for ever

TOKEN: public(immutable(address))
admin: public(address)
pendingAdmin: public(address)
feeRecipient: public(address)
roles: public(HashMap[address, Role])
paused: public(bool)

orders: public(HashMap[uint256, Order])
opUsed: public(HashMap[bytes32, bool])
claimable: public(HashMap[address, uint256])
totalLocked: public(uint256)
totalClaimable: public(uint256)


@deploy
def __init__(token: address, admin: address, feeRecipient: address):
    assert token.is_contract and admin != empty(address) and feeRecipient != empty(address), "args"
    TOKEN = token
    self.admin = admin
    self.feeRecipient = feeRecipient


# ---------------------------------------------------------------- guards
@view
@internal
def _only(r: Role):
    assert r in self.roles[msg.sender], "role"

@view
@internal
def _running():
    assert not self.paused, "paused"

@view
@internal
def _known(orderId: uint256):
    assert self.orders[orderId].client != empty(address), "no order"

@view
@internal
def _settler(orderId: uint256):
    # The operator while nothing is in dispute; the arbiter always.
    if self.orders[orderId].hold:
        self._only(Role.ARBITER)
    else:
        assert Role.OPERATOR in self.roles[msg.sender] or Role.ARBITER in self.roles[msg.sender], "role"

@internal
def _use(opId: bytes32):
    assert opId != empty(bytes32), "op zero"
    assert not self.opUsed[opId], "op used"
    self.opUsed[opId] = True

@pure
@internal
def _cents(amount: uint256):
    assert amount % CENT == 0, "cents"

@pure
@internal
def _positive(amount: uint256):
    assert amount > 0, "zero"
    self._cents(amount)


# ---------------------------------------------------------------- the pool
@internal
def _pull(payer: address, amount: uint256):
    before: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    assert extcall IERC20(TOKEN).transferFrom(payer, self, amount, default_return_value=True), "transferFrom"
    assert staticcall IERC20(TOKEN).balanceOf(self) == before + amount, "received"

@internal
def _lock(orderId: uint256, amount: uint256, sponsored: uint256):
    self._cents(sponsored)
    assert sponsored <= amount, "sponsored"
    self.orders[orderId].locked += amount
    self.orders[orderId].sponsored += sponsored
    self.orders[orderId].funded += amount
    self.totalLocked += amount

@internal
def _unlock(orderId: uint256, amount: uint256, sponsored: uint256):
    self._positive(amount)
    self._cents(sponsored)
    assert self.orders[orderId].locked >= amount, "locked"
    assert sponsored <= amount and sponsored <= self.orders[orderId].sponsored, "sponsored"
    self.orders[orderId].locked -= amount
    # What the platform lent and let go with a release is not the platform's any more.
    self.orders[orderId].sponsored = min(self.orders[orderId].sponsored - sponsored, self.orders[orderId].locked)
    self.totalLocked -= amount

@internal
def _credit(account: address, amount: uint256):
    if amount > 0:
        self.claimable[account] += amount
        self.totalClaimable += amount


# ---------------------------------------------------------------- funding
@nonreentrant
@external
def createEscrow(orderId: uint256, client: address, builder: address, amount: uint256, sponsored: uint256, feeBps: uint16,
                 expiry: uint64, opId: bytes32):
    """@notice Open an order and lock the caller's money for it; `amount` may be zero."""
    self._only(Role.OPERATOR)
    self._running()
    self._use(opId)
    assert self.orders[orderId].client == empty(address), "exists"
    assert client != empty(address) and builder != empty(address) and client != builder, "parties"
    assert convert(feeBps, uint256) <= MAX_FEE_BPS, "fee"
    assert convert(expiry, uint256) > block.timestamp and convert(expiry, uint256) <= block.timestamp + MAX_LIFE, "expiry"
    self._cents(amount)
    self.orders[orderId] = Order(client=client, builder=builder, locked=0, sponsored=0, funded=0, released=0, refunded=0,
                                 expiry=expiry, feeBps=feeBps, hold=False, created=convert(block.timestamp, uint64))
    self._lock(orderId, amount, sponsored)
    log EscrowCreated(orderId=orderId, opId=opId, client=client, builder=builder, amount=amount, sponsored=sponsored,
                      feeBps=feeBps, expiry=expiry)
    if amount > 0:
        self._pull(msg.sender, amount)

@nonreentrant
@external
def amendEscrow(orderId: uint256, additionalAmount: uint256, sponsored: uint256, opId: bytes32):
    """@notice Lock more of the caller's money for an order, under the same terms."""
    self._only(Role.OPERATOR)
    self._running()
    self._known(orderId)
    self._use(opId)
    assert not self.orders[orderId].hold, "hold"
    self._positive(additionalAmount)
    self._lock(orderId, additionalAmount, sponsored)
    log EscrowAmended(orderId=orderId, opId=opId, payer=msg.sender, additionalAmount=additionalAmount, sponsored=sponsored,
                      locked=self.orders[orderId].locked)
    self._pull(msg.sender, additionalAmount)


# ---------------------------------------------------------------- settling
@nonreentrant
@external
def release(orderId: uint256, amount: uint256, sponsorBack: uint256, opId: bytes32):
    """@notice Credit the builder with `amount` less the fee (rounded down to the cent) less `sponsorBack`, which the
            platform had paid in advance."""
    self._running()
    self._known(orderId)
    self._settler(orderId)
    self._use(opId)
    self._unlock(orderId, amount, sponsorBack)
    self.orders[orderId].released += amount
    fee: uint256 = amount * convert(self.orders[orderId].feeBps, uint256) // BPS // CENT * CENT
    assert sponsorBack <= amount - fee, "sponsored"
    builder: address = self.orders[orderId].builder
    self._credit(builder, amount - fee - sponsorBack)
    self._credit(self.feeRecipient, fee + sponsorBack)
    log EscrowReleased(orderId=orderId, opId=opId, builder=builder, gross=amount, fee=fee, sponsorBack=sponsorBack,
                       locked=self.orders[orderId].locked)

@nonreentrant
@external
def refund(orderId: uint256, amount: uint256, sponsorBack: uint256, opId: bytes32):
    """@notice Credit the client with `amount` less `sponsorBack`, which the platform had lent."""
    self._running()
    self._known(orderId)
    self._settler(orderId)
    self._use(opId)
    self._refund(orderId, amount, sponsorBack, opId)

@internal
def _refund(orderId: uint256, amount: uint256, sponsorBack: uint256, opId: bytes32):
    self._unlock(orderId, amount, sponsorBack)
    self.orders[orderId].refunded += amount
    client: address = self.orders[orderId].client
    self._credit(client, amount - sponsorBack)
    self._credit(self.feeRecipient, sponsorBack)
    log EscrowRefunded(orderId=orderId, opId=opId, client=client, amount=amount, sponsorBack=sponsorBack,
                       locked=self.orders[orderId].locked)

@nonreentrant
@external
def reclaim(orderId: uint256):
    """@notice The client's exit without the platform: after the expiry (in dispute HOLD_GRACE later) all that is locked and
            was not lent, even while paused. It takes no opId; see withdrawOwn."""
    assert msg.sender == self.orders[orderId].client, "client"
    until: uint256 = convert(self.orders[orderId].expiry, uint256)
    if self.orders[orderId].hold:
        until += HOLD_GRACE
    assert block.timestamp >= until, "expiry"
    self._refund(orderId, self.orders[orderId].locked, self.orders[orderId].sponsored, empty(bytes32))

@nonreentrant
@external
def moveEscrow(fromOrder: uint256, toOrder: uint256, amount: uint256, sponsored: uint256, opId: bytes32):
    """@notice Merge and split. The client is always the same; another builder needs the arbiter."""
    self._running()
    self._known(fromOrder)
    self._known(toOrder)
    assert fromOrder != toOrder, "same order"
    self._settler(fromOrder)
    self._settler(toOrder)
    assert self.orders[fromOrder].client == self.orders[toOrder].client, "client"
    if self.orders[fromOrder].builder != self.orders[toOrder].builder:
        self._only(Role.ARBITER)
    self._use(opId)
    self._unlock(fromOrder, amount, sponsored)
    self.orders[fromOrder].funded -= amount
    self._lock(toOrder, amount, sponsored)
    # Money keeps its age: moving it on and on cannot put off the client's exit beyond MAX_LIFE.
    created: uint64 = min(self.orders[fromOrder].created, self.orders[toOrder].created)
    self.orders[toOrder].created = created
    assert convert(self.orders[toOrder].expiry, uint256) <= convert(created, uint256) + MAX_LIFE, "life"
    log EscrowMoved(fromOrder=fromOrder, toOrder=toOrder, opId=opId, amount=amount, sponsored=sponsored,
                    fromLocked=self.orders[fromOrder].locked, toLocked=self.orders[toOrder].locked)

@nonreentrant
@external
def extendExpiry(orderId: uint256, expiry: uint64, opId: bytes32):
    """@notice Put off the moment from which the client may reclaim; never beyond MAX_LIFE. Works while paused."""
    self._known(orderId)
    self._settler(orderId)
    self._use(opId)
    assert expiry > self.orders[orderId].expiry, "expiry"
    assert convert(expiry, uint256) <= convert(self.orders[orderId].created, uint256) + MAX_LIFE, "life"
    self.orders[orderId].expiry = expiry
    log ExpiryExtended(orderId=orderId, opId=opId, expiry=expiry)

@nonreentrant
@external
def setHold(orderId: uint256, hold: bool, opId: bytes32):
    """@notice Begin or end a dispute. Works while paused."""
    self._only(Role.ARBITER)
    self._known(orderId)
    self._use(opId)
    self.orders[orderId].hold = hold
    log HoldSet(orderId=orderId, opId=opId, hold=hold)


# ---------------------------------------------------------------- paying out
@nonreentrant
@external
def withdraw(account: address, amount: uint256, opId: bytes32):
    """@notice The platform pays a claim to the account that has it. The destination is never a free argument."""
    self._only(Role.OPERATOR)
    self._running()
    self._use(opId)
    self._pay_out(account, amount, opId)

@nonreentrant
@external
def withdrawOwn(amount: uint256):
    """@notice The account's own exit, open while paused. It takes no opId: whoever could consume one could burn the key of
            an operation of the platform that is on its way, and block it for ever."""
    self._pay_out(msg.sender, amount, empty(bytes32))

@internal
def _pay_out(account: address, amount: uint256, opId: bytes32):
    self._positive(amount)
    assert self.claimable[account] >= amount, "claimable"
    self.claimable[account] -= amount
    self.totalClaimable -= amount
    log Withdrawn(account=account, opId=opId, amount=amount)
    assert extcall IERC20(TOKEN).transfer(account, amount, default_return_value=True), "transfer"

@nonreentrant
@external
def pay(account: address, amount: uint256, opId: bytes32):
    """@notice Pay the caller's own money (the float) to an account, once for an opId. The pool is not touched."""
    self._only(Role.OPERATOR)
    self._running()
    self._use(opId)
    self._positive(amount)
    assert account != empty(address) and account != self and account != msg.sender, "account"
    before: uint256 = staticcall IERC20(TOKEN).balanceOf(account)
    log Paid(account=account, opId=opId, amount=amount)
    assert extcall IERC20(TOKEN).transferFrom(msg.sender, account, amount, default_return_value=True), "transferFrom"
    assert staticcall IERC20(TOKEN).balanceOf(account) == before + amount, "received"


# ---------------------------------------------------------------- administration
@external
def setRole(account: address, r: Role, enabled: bool):
    assert msg.sender == self.admin, "admin"
    if enabled:
        self.roles[account] = self.roles[account] | r
    else:
        self.roles[account] = self.roles[account] & ~r
    log RoleSet(role=convert(r, uint256), account=account, enabled=enabled)

@external
def setPaused(p: bool):
    assert msg.sender == self.admin or (p and Role.GUARDIAN in self.roles[msg.sender]), "role"
    self.paused = p
    log Paused(account=msg.sender, paused=p)

@external
def setFeeRecipient(account: address):
    """@notice For fees from now on; what was credited stays with the account it was credited to."""
    assert msg.sender == self.admin, "admin"
    assert account != empty(address), "account"
    self.feeRecipient = account
    log FeeRecipientSet(account=account)

@external
def transferAdmin(account: address):
    """@notice Takes effect when that account accepts; naming nobody calls it off."""
    assert msg.sender == self.admin, "admin"
    self.pendingAdmin = account
    log AdminTransfer(current=self.admin, pending=account, accepted=False)

@external
def acceptAdmin():
    assert msg.sender == self.pendingAdmin, "pending"
    self.admin = msg.sender
    self.pendingAdmin = empty(address)
    log AdminTransfer(current=msg.sender, pending=empty(address), accepted=True)

@nonreentrant
@external
def sweepSurplus(to: address) -> uint256:
    """@notice Tokens that were sent here by mistake; never what is owed to anybody."""
    assert msg.sender == self.admin, "admin"
    surplus: uint256 = staticcall IERC20(TOKEN).balanceOf(self) - (self.totalLocked + self.totalClaimable)
    log SurplusSwept(to=to, amount=surplus)
    assert extcall IERC20(TOKEN).transfer(to, surplus, default_return_value=True), "transfer"
    return surplus
