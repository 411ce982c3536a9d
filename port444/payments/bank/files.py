"""Transfers as a bank takes them: ISO 20022 customer credit transfers (pain.001.001.09), and a table to read. Written line by line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

from port444.kit import csvs

from .accounts import Account, plain

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"


@dataclass(frozen=True, slots=True)
class Debtor:
    """The platform's own account."""

    name: str
    iban: str
    bic: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """One line: `reference` comes back on the bank's statement, so that the line can be found again."""

    reference: str
    account: Account
    amount: Decimal
    note: str


class _Echo(io.StringIO):
    """Gives back what the writer wrote, and keeps nothing."""

    def take(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def as_csv(transfers: Iterable[Transfer], currency: str) -> Iterator[str]:
    """A table with a line for every transfer. No cell begins as a formula does, because spreadsheets would run it."""
    echo = _Echo()
    writer = csv.writer(echo)
    writer.writerow(["reference", "holder", "iban", "account", "bic", "country", "amount", "currency", "note"])
    yield echo.take()
    for one in transfers:
        account = one.account
        cells = [one.reference, account.holder, account.iban, account.number, account.bic, account.country, f"{one.amount:.2f}", currency, one.note]
        writer.writerow([csvs.text(cell) for cell in cells])
        yield echo.take()


def as_pain(
    transfers: Iterable[Transfer], *, reference: str, debtor: Debtor, currency: str, count: int, total: Decimal, made_at: datetime, on: datetime
) -> Iterator[str]:
    """A message of pain.001.001.09 with one batch of credit transfers; `count` and `total` are its control sums."""
    sums = _tag("NbOfTxs", str(count)) + _tag("CtrlSum", f"{total:.2f}")
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns={quoteattr(NAMESPACE)}><CstmrCdtTrfInitn>'
    yield _wrap(
        "GrpHdr",
        _tag("MsgId", reference) + _tag("CreDtTm", f"{made_at:%Y-%m-%dT%H:%M:%S}Z") + sums + _wrap("InitgPty", _tag("Nm", plain(debtor.name)[:70])),
    )
    yield "<PmtInf>" + _tag("PmtInfId", reference) + _tag("PmtMtd", "TRF") + _tag("BtchBookg", "true") + sums
    yield _wrap("ReqdExctnDt", _tag("Dt", f"{on:%Y-%m-%d}"))
    yield _wrap("Dbtr", _tag("Nm", plain(debtor.name)[:70]))
    yield _wrap("DbtrAcct", _wrap("Id", _tag("IBAN", debtor.iban)) + _tag("Ccy", currency))
    yield _wrap("DbtrAgt", _wrap("FinInstnId", _tag("BICFI", debtor.bic))) + _tag("ChrgBr", "SHAR")
    for one in transfers:
        yield "\n" + _transfer(one, currency)
    yield "\n</PmtInf></CstmrCdtTrfInitn></Document>\n"


def _transfer(one: Transfer, currency: str) -> str:
    account = one.account
    agent = _tag("BICFI", account.bic) if account.bic else _wrap("Othr", _tag("Id", "NOTPROVIDED"))
    number = _tag("IBAN", account.iban) if account.iban else _wrap("Othr", _tag("Id", account.number))
    place = _wrap("PstlAdr", _tag("Ctry", account.country)) if account.country else ""
    return _wrap(
        "CdtTrfTxInf",
        _wrap("PmtId", _tag("InstrId", one.reference) + _tag("EndToEndId", one.reference))
        + _wrap("Amt", f'<InstdAmt Ccy="{escape(currency)}">{one.amount:.2f}</InstdAmt>')
        + _wrap("CdtrAgt", _wrap("FinInstnId", agent))
        + _wrap("Cdtr", _tag("Nm", plain(account.holder)[:70]) + place)
        + _wrap("CdtrAcct", _wrap("Id", number))
        + _wrap("RmtInf", _tag("Ustrd", plain(one.note)[:140])),
    )


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _wrap(name: str, inner: str) -> str:
    return f"<{name}>{inner}</{name}>"
