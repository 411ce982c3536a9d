# pragma version ==0.4.3
# pragma evm-version cancun
"""
@title  MockUSDC: stands for USDC (FiatTokenV2_2) where people try things out
@notice TEST ONLY: anyone may mint, pause and block. Behaves as USDC does in what the platform relies on: 6 decimals, pause and
        blocked accounts stop every transfer, EIP-3009 (receive and cancel), the same reasons for refusals.
@dev    Written for port444 after the behaviour of circlefin/stablecoin-evm (Apache-2.0); no code of it is in here.
"""
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

event AuthorizationUsed:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

event AuthorizationCanceled:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

name: public(constant(String[16])) = "USD Coin"
symbol: public(constant(String[8])) = "USDC"
version: public(constant(String[1])) = "2"
decimals: public(constant(uint8)) = 6

TYPE_RECEIVE: constant(bytes32) = keccak256("ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)")
TYPE_CANCEL: constant(bytes32) = keccak256("CancelAuthorization(address authorizer,bytes32 nonce)")
TYPE_DOMAIN: constant(bytes32) = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
HALF_ORDER: constant(bytes32) = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
isBlacklisted: public(HashMap[address, bool])
paused: public(bool)
authorizationState: public(HashMap[address, HashMap[bytes32, bool]])

@view
@external
def DOMAIN_SEPARATOR() -> bytes32:
    return self._domain()

@view
@internal
def _domain() -> bytes32:
    return keccak256(abi_encode(TYPE_DOMAIN, keccak256(name), keccak256(version), chain.id, self))

@view
@internal
def _gate(account: address):
    assert not self.paused, "Pausable: paused"
    assert not self.isBlacklisted[account], "Blacklistable: account is blacklisted"

@internal
def _transfer(sender: address, receiver: address, amount: uint256):
    self._gate(sender)
    self._gate(receiver)
    assert receiver != empty(address), "ERC20: transfer to the zero address"
    assert self.balanceOf[sender] >= amount, "ERC20: transfer amount exceeds balance"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)

@view
@internal
def _signed(authorizer: address, struct_hash: bytes32, v: uint8, r: bytes32, s: bytes32):
    assert convert(s, uint256) <= convert(HALF_ORDER, uint256), "ECRecover: invalid signature 's' value"
    assert v == 27 or v == 28, "ECRecover: invalid signature 'v' value"
    digest: bytes32 = keccak256(concat(b"\x19\x01", self._domain(), struct_hash))
    signer: address = ecrecover(digest, convert(v, uint256), convert(r, uint256), convert(s, uint256))
    assert signer == authorizer and signer != empty(address), "FiatTokenV2: invalid signature"

@external
def mint(to: address, amount: uint256):
    self._gate(to)
    self.totalSupply += amount
    self.balanceOf[to] += amount
    log Transfer(sender=empty(address), receiver=to, value=amount)

@external
def approve(spender: address, amount: uint256) -> bool:
    self._gate(msg.sender)
    self._gate(spender)
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True

@external
def transfer(to: address, amount: uint256) -> bool:
    self._transfer(msg.sender, to, amount)
    return True

@external
def transferFrom(sender: address, to: address, amount: uint256) -> bool:
    self._gate(msg.sender)
    assert self.allowance[sender][msg.sender] >= amount, "ERC20: transfer amount exceeds allowance"
    self.allowance[sender][msg.sender] -= amount
    self._transfer(sender, to, amount)
    return True

@external
def receiveWithAuthorization(sender: address, to: address, amount: uint256, validAfter: uint256,
                             validBefore: uint256, nonce: bytes32, v: uint8, r: bytes32, s: bytes32):
    """@notice EIP-3009: the payee moves what the signer agreed to."""
    assert not self.paused, "Pausable: paused"
    assert to == msg.sender, "FiatTokenV2: caller must be the payee"
    assert block.timestamp > validAfter, "FiatTokenV2: authorization is not yet valid"
    assert block.timestamp < validBefore, "FiatTokenV2: authorization is expired"
    assert not self.authorizationState[sender][nonce], "FiatTokenV2: authorization is used or canceled"
    self._signed(sender, keccak256(abi_encode(TYPE_RECEIVE, sender, to, amount, validAfter, validBefore, nonce)), v, r, s)
    self.authorizationState[sender][nonce] = True
    log AuthorizationUsed(authorizer=sender, nonce=nonce)
    self._transfer(sender, to, amount)

@external
def cancelAuthorization(authorizer: address, nonce: bytes32, v: uint8, r: bytes32, s: bytes32):
    """@notice EIP-3009: the signer takes back what was not used yet; anyone may carry it here."""
    assert not self.paused, "Pausable: paused"
    assert not self.authorizationState[authorizer][nonce], "FiatTokenV2: authorization is used or canceled"
    self._signed(authorizer, keccak256(abi_encode(TYPE_CANCEL, authorizer, nonce)), v, r, s)
    self.authorizationState[authorizer][nonce] = True
    log AuthorizationCanceled(authorizer=authorizer, nonce=nonce)

@external
def setPaused(p: bool):
    self.paused = p

@external
def setBlacklisted(a: address, b: bool):
    self.isBlacklisted[a] = b
