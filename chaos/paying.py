"""What of the day takes several steps with somebody else in between: paying, a decision of two people, signing up by a mail."""

from __future__ import annotations

import base64
import email
import email.policy
import hmac
import html
import json
import random
import re
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .browser import PASSWORD, Browser, GaveUp, until

if TYPE_CHECKING:
    from .day import Day

ARRIVES = 240.0
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # (of the senior's authenticator app, for one day)


def pay(day: Day, client: Browser, invoice_id: str, chance: random.Random) -> None:
    """From the wallet of whoever has one, else in the test wallet, until the money has arrived."""
    how = "wallet" if client.person["wallet"] is not None and chance.random() < 0.7 else "sandbox"
    payment = client.post(f"/invoices/{invoice_id}/pay", {"provider": how}).json()

    def ready() -> dict[str, Any] | None:
        found = client.get(f"/payments/{payment['id']}")
        return found if found["status"] != "created" else None

    found = until(ready, ARRIVES, day.over.is_set)
    if found is None:
        raise GaveUp(f"the provider of payment {payment['id']} was not reached")
    if found["status"] == "pending":
        press(client, payment["id"], how, chance)
        day.keep("pressed", payment["id"], how=how)

    def arrived() -> str | None:
        status = str(client.get(f"/payments/{payment['id']}")["status"])
        return status if status in ("succeeded", "failed", "expired") else None

    status = until(arrived, ARRIVES, day.over.is_set)
    if status != "succeeded":
        raise GaveUp(f"payment {payment['id']} by {how} is {status or 'on its way'}")
    day.keep("payment", payment["id"], amount=payment["amount"])


def press(client: Browser, payment_id: str, how: str, chance: random.Random) -> None:
    if how == "sandbox":
        manner = chance.choice(["at_once", "at_once", "twice", "silent"])
        client.send(f"/wallet/{payment_id}/answer/", {"decision": "approve", "manner": manner})
        return
    shown = re.search(r'data-typed="([^"]*)"', client.page(f"/pay/{payment_id}/wallet/"))
    if shown is None:
        return  # an earlier try has signed
    client.send(f"/pay/{payment_id}/wallet/sign/", sign(json.loads(html.unescape(shown[1])), client.person["wallet"]))


def sign(typed: dict[str, Any], number: int) -> dict[str, str]:
    """What the wallet in the browser does with the message of the page."""
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    from scripts import chain

    account = chain.account(number)
    typed["message"]["from"] = account.address
    for name in ("value", "validAfter", "validBefore"):
        typed["message"][name] = int(typed["message"][name])
    signed = Account.sign_message(encode_typed_data(full_message=typed), account.key)
    return {"address": account.address, "signature": signed.signature.to_0x_hex()}


def decide(day: Day, dispute_id: str) -> None:
    """Support decides: one asks, another agrees with a code of the authenticator app."""
    ruling = {"to_client": "30.00", "decision": "Both are a little right.", "reason": "Looked at the pages."}
    answer = day.agent.post(f"/support/disputes/{dispute_id}/decide", ruling, fine=(409, 422))
    if not answer.ok:
        raise GaveUp(f"dispute {dispute_id} cannot be decided now: {answer.text[:200]}")
    plan = answer.json()
    for _ in range(4):
        seen = day.senior.get(f"/support/plans/{plan['id']}")
        if seen["status"] != "requested":
            break
        body = {"seen": seen["seen"], "note": "Agreed.", "code": code_now()}
        answer = day.senior.post(f"/support/plans/{plan['id']}/approve", body, fine=(403, 409, 422))
        if answer.ok:
            day.keep("dispute", dispute_id, reached="decided")
            return
        time.sleep(8)  # a code counts once, and a clock may be wrong
    raise GaveUp(f"plan {plan['id']} was not approved: {answer.status_code} {answer.text[:200]}")


def code_now() -> str:
    """What the app shows (RFC 6238)."""
    digest = hmac.digest(base64.b32decode(SECRET), struct.pack(">Q", int(time.time()) // 30), "sha1")
    (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
    return f"{(number & 0x7FFFFFFF) % 10**6:06d}"


def sign_up(day: Day, person: Browser) -> None:
    address = person.person["email"]
    fields = {"name": person.person["name"], "email": address, "password1": PASSWORD, "role": "hire", "time_zone": "UTC"}
    person.send("/account/signup/", fields)
    link = until(lambda: link_for(day.mail, address), 200, day.over.is_set, pause=1.0)
    if link is None:
        raise GaveUp(f"no mail came to {address}")
    person.send(link, {}, fine=(404, 410))  # a link works once, and the first answer may have been lost
    person.sign_in()
    day.keep("person", address)


def link_for(folder: Path, address: str) -> str | None:
    """The path of the link in the mail that confirms an address."""
    for path in folder.glob("*.eml"):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if str(message["To"]) != address:
            continue
        part = message.get_body(("plain",))
        if part is not None and (found := re.search(r"https?://[^/\s]+(/account/confirm-email/\S+)", str(part.get_content()))):
            return found[1]
    return None
