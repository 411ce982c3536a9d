"""Bank accounts as people write them, wallet addresses, and the files for the bank."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from port444.kit.errors import Invalid
from port444.payments.actions import check_address
from port444.payments.bank import Account, Debtor, Transfer, as_csv, as_pain, read_account, read_iban
from port444.payments.bank.accounts import IBAN_LENGTHS
from port444.payments.bank.files import NAMESPACE

# Examples of the IBAN registry.
IBANS_TEXT = """
AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201 AZ21NABZ00000000137010001944
BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456 BR9700360305000010009795493P1 CH9300762011623852957
CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000 DK5000400440116243 DO28BAGR00000001212453611324
EE382200221020145685 ES9121000418450200051332 FI2112345600000785 FO6264600001631634 FR1420041010050500013M02606 GB29NWBK60161331926819
GE29NB0000000101904917 GI75NWBK000000007099453 GL8964710001000206 GR1601101250000000012300695 GT82TRAJ01020000001210029690
HR1210010051863000160 HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999 IS140159260076545510730339
IT60X0542811101000000123456 JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101 KZ86125KZT5004100100 LB62099900000001001901229114
LI21088100002324013AA LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 MC5811222000010123456789030 MD24AG000225100013104168
ME25505000012345678951 MK07250120000058984 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S MU17BOMM0101101030300200000MUR
NL91ABNA0417164300 NO9386011117947 PK36SCBL0000001123456702 PL61109010140000071219812874 PS92PALS000000000400123456702
PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 RS35260005601001611379 SA0380000000608010167519
SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541 SM86U0322509800000000270100 TN5910006035183598478831
TR330006100519786457841326 UA213223130000026007233566001 VG96VPVG0000012345678901 XK051212012345678906
"""
IBANS = IBANS_TEXT.split()


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_of_the_registry_is_taken(iban: str) -> None:
    assert read_iban(iban) == iban
    spaced = " ".join(iban[n : n + 4] for n in range(0, len(iban), 4)).lower()
    assert read_iban(f" {spaced} ") == iban


@pytest.mark.parametrize("iban", ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"])
def test_one_wrong_or_two_swapped_letters_are_found(iban: str) -> None:
    for place in range(2, len(iban)):
        for other in "0123456789" if iban[place].isdigit() else "ABCXYZ":
            if other != iban[place]:
                with pytest.raises(Invalid):
                    read_iban(iban[:place] + other + iban[place + 1 :])
    for place in range(4, len(iban) - 1):
        if iban[place] != iban[place + 1]:
            with pytest.raises(Invalid):
                read_iban(iban[:place] + iban[place + 1] + iban[place] + iban[place + 2 :])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "iban_format"),
        ("12", "iban_format"),
        ("DE89 3704 0044 0532 0130 0", "iban_length"),
        ("US89370400440532013000", "iban_country"),
        ("DE88370400440532013000", "iban_checksum"),
        ("DE89370400440532013000\x00", "iban_format"),
        ("DE８９370400440532013000", "iban_format"),
        ("=DE89370400440532013000", "iban_format"),
    ],
)
def test_what_is_no_iban_is_refused_in_words(text: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_iban(text)
    assert refusal.value.code == code


def test_lengths_cover_the_registry() -> None:
    assert len(IBAN_LENGTHS) >= 85
    assert {iban[:2] for iban in IBANS} <= set(IBAN_LENGTHS)


US = {"holder": "Anaya Krishnan", "number": "000123456789", "bic": "CHASUS33", "country": "us"}


def test_a_number_with_bic_and_country() -> None:
    account = read_account(**US)
    assert account == Account("Anaya Krishnan", number="000123456789", bic="CHASUS33", country="US")
    assert account.masked == "CHASUS33 … 6789"
    assert read_account(holder=" Zoë  Müller ", iban="de89 3704 0044 0532 0130 00").masked == "DE89 … 3000"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"number": ""}, "account_missing"),
        ({"number": "12"}, "account_format"),
        ({"number": "12=34"}, "account_format"),
        ({"number": "x" * 35}, "account_format"),
        ({"bic": ""}, "bic_missing"),
        ({"bic": "CHASUS3"}, "bic_format"),
        ({"bic": "CHASQQ33"}, "bic_country"),
        ({"country": ""}, "country"),
        ({"country": "QQ"}, "country"),
        ({"country": "CA"}, "country_differs"),
        ({"bic": "DEUTDEFF", "country": "DE"}, "iban_needed"),
        ({"iban": "DE89370400440532013000"}, "account_both"),
        ({"holder": "A"}, "holder"),
        ({"holder": "x" * 71}, "holder"),
        ({"holder": "Анна Каренина"}, "holder_letters"),
        ({"holder": "Anaya\x00Krishnan"}, "holder_letters"),
        ({"holder": "!!!"}, "holder_letters"),
    ],
)
def test_what_can_be_no_account_is_refused(changes: dict[str, str], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_account(**(US | changes))
    assert refusal.value.code == code


# The examples of EIP-55: letters of one size, and of both.
CHECKSUMS_TEXT = """
0x52908400098527886E0F7030069857D2E4169EE7 0x8617E340B3D01FA5F11F306F4090FD50E238070D 0xde709f2102306220921060314715629080e2fb77
0x27b1fdb04752bbc536007a920d24acb045561c26 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed 0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359
0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB 0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb
"""
CHECKSUMS = CHECKSUMS_TEXT.split()


@pytest.mark.parametrize("address", CHECKSUMS)
def test_an_address_may_have_letters_of_one_size_or_its_checksum(address: str) -> None:
    kept = check_address(address)
    assert kept.lower() == address.lower()
    assert check_address(address.lower()) == check_address("0x" + address[2:].upper()) == kept
    mixed = [place for place in range(2, 42) if kept[place].isalpha()]
    for place in mixed:
        wrong = kept[:place] + kept[place].swapcase() + kept[place + 1 :]
        if wrong[2:] in (wrong[2:].lower(), wrong[2:].upper()):
            continue
        with pytest.raises(Invalid) as refusal:
            check_address(wrong)
        assert refusal.value.code == "address_checksum"


def test_no_address_of_ours(settings: Any) -> None:
    settings.ESCROW_ADDRESS = CHECKSUMS[4]
    with pytest.raises(Invalid) as refusal:
        check_address(CHECKSUMS[4].lower())
    assert refusal.value.code == "address_ours"


DEBTOR = Debtor("port444 Ünited", "LU280019400644750000", "BCEELULL")
MOMENT = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
LINES = [
    Transfer("W1", read_account(holder="Zoë Müller-Łukasz", iban="DE89370400440532013000"), Decimal("1234.50"), "port444 withdrawal 2026-03-01"),
    Transfer("W2", read_account(holder="O'Neill & Sons <Ltd>", iban="GB29NWBK60161331926819", bic="NWBKGB2L"), Decimal("0.01"), "note & more"),
    Transfer("W3", read_account(**US), Decimal("99.99"), "=1+1"),
]


def message(lines: list[Transfer]) -> str:
    total = sum((line.amount for line in lines), Decimal(0))
    facts: dict[str, Any] = {"reference": "P260301-0A1B2C3D", "debtor": DEBTOR, "currency": "USD", "made_at": MOMENT, "on": MOMENT}
    return "".join(as_pain(lines, count=len(lines), total=total, **facts))


# What pain.001.001.09 allows of what we use: for every element its children in their order, with * for any number, ? for none or one and
# | for a choice, or the pattern of its text. Written down from the message definition.
ID, NAME = r".{1,35}", r".{1,140}"
SCHEMA: dict[str, str | list[str]] = {
    "Document": ["CstmrCdtTrfInitn"],
    "CstmrCdtTrfInitn": ["GrpHdr", "PmtInf*"],
    "GrpHdr": ["MsgId", "CreDtTm", "NbOfTxs", "CtrlSum?", "InitgPty"],
    "MsgId": ID,
    "CreDtTm": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "NbOfTxs": r"[0-9]{1,15}",
    "CtrlSum": r"\d{1,16}\.\d\d",
    "InitgPty": ["Nm?"],
    "Nm": NAME,
    "PmtInf": [
        *["PmtInfId", "PmtMtd", "BtchBookg?", "NbOfTxs?", "CtrlSum?", "ReqdExctnDt", "Dbtr", "DbtrAcct", "DbtrAgt", "ChrgBr?", "CdtTrfTxInf*"],
    ],
    "PmtInfId": ID,
    "PmtMtd": "TRF",
    "BtchBookg": "true|false",
    "ReqdExctnDt": ["Dt|DtTm"],
    "Dt": r"\d{4}-\d\d-\d\d",
    "Dbtr": ["Nm?", "PstlAdr?"],
    "DbtrAcct": ["Id?", "Ccy?"],
    "DbtrAgt": ["FinInstnId"],
    "FinInstnId": ["BICFI?", "Othr?"],
    "BICFI": r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?",
    "Othr": ["Id"],
    "ChrgBr": "DEBT|CRED|SHAR|SLEV",
    "CdtTrfTxInf": ["PmtId", "Amt", "CdtrAgt?", "Cdtr?", "CdtrAcct?", "RmtInf?"],
    "PmtId": ["InstrId?", "EndToEndId"],
    "InstrId": ID,
    "EndToEndId": ID,
    "Amt": ["InstdAmt|EqvtAmt"],
    "InstdAmt": r"\d{1,13}\.\d\d",
    "CdtrAgt": ["FinInstnId"],
    "Cdtr": ["Nm?", "PstlAdr?"],
    "PstlAdr": ["Ctry?"],
    "Ctry": r"[A-Z]{2}",
    "CdtrAcct": ["Id?"],
    "IBAN": r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}",
    "Ccy": r"[A-Z]{3}",
    "RmtInf": ["Ustrd*"],
    "Ustrd": r".{1,140}",
}


def check(element: ET.Element, path: str = "") -> None:
    """Raises AssertionError where an element is not what the message allows there."""
    name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
    path = f"{path}/{name}"
    assert element.tag == f"{{{NAMESPACE}}}{name}", path
    # An account has an IBAN or another number; inside that other one it is the text itself.
    ids: dict[bool, str | list[str]] = {True: r".{1,34}|NOTPROVIDED", False: ["IBAN|Othr"]}
    rule = ids[path.endswith("Othr/Id")] if name == "Id" else SCHEMA[name]
    assert dict(element.attrib) == ({"Ccy": "USD"} if name == "InstdAmt" else {}), path
    if isinstance(rule, str):
        assert len(element) == 0, path
        assert re.fullmatch(rule, element.text or ""), f"{path}: {element.text!r}"
        assert re.fullmatch(r"[A-Za-z0-9/\-?:().,'+ ]*", element.text or ""), f"{path}: {element.text!r}"
        return
    assert not (element.text or "").strip(), path
    wanted = "".join(f"(?:{part.rstrip('*?').replace('|', ' |')} ){part[-1] if part[-1] in '*?' else ''}" for part in rule)
    children = "".join(child.tag.removeprefix(f"{{{NAMESPACE}}}") + " " for child in element)
    assert re.fullmatch(wanted.replace(" |", " |").replace("| ", "|"), children), f"{path}: {children} instead of {rule}"
    for child in element:
        check(child, path)


def test_the_message_is_built_as_the_bank_expects() -> None:
    document = ET.fromstring(message(LINES))
    check(document)
    space = {"p": NAMESPACE}
    assert [sums.text for sums in document.findall(".//p:NbOfTxs", space)] == ["3", "3"]
    assert [sums.text for sums in document.findall(".//p:CtrlSum", space)] == ["1334.50", "1334.50"]
    amounts = [Decimal(amount.text or "") for amount in document.findall(".//p:InstdAmt", space)]
    assert sum(amounts) == Decimal("1334.50")
    assert [name.text for name in document.findall(".//p:Cdtr/p:Nm", space)] == ["Zoe Muller-Lukasz", "O'Neill Sons Ltd", "Anaya Krishnan"]
    assert [iban.text for iban in document.findall(".//p:CdtrAcct/p:Id/p:IBAN", space)] == ["DE89370400440532013000", "GB29NWBK60161331926819"]
    assert [other.text for other in document.findall(".//p:CdtrAcct/p:Id/p:Othr/p:Id", space)] == ["000123456789"]
    assert [agent.text for agent in document.findall(".//p:CdtrAgt/p:FinInstnId/p:BICFI", space)] == ["NWBKGB2L", "CHASUS33"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("<PmtMtd>TRF</PmtMtd>", ""),
        ("<NbOfTxs>3</NbOfTxs><CtrlSum>1334.50</CtrlSum><InitgPty>", "<CtrlSum>1334.50</CtrlSum><NbOfTxs>3</NbOfTxs><InitgPty>"),
        ("<Dt>2026-03-01</Dt>", "2026-03-01"),
        ("W1</EndToEndId>", "W1" * 20 + "</EndToEndId>"),
        ("<Ctry>US</Ctry>", "<Ctry>USA</Ctry>"),
        ("<IBAN>DE89370400440532013000</IBAN>", "<IBAN>DE89370400440532013000</IBAN><Othr><Id>1</Id></Othr>"),
        ("Zoe Muller", "Zoë Müller"),
    ],
)
def test_the_check_sees_a_wrong_message(right: str, wrong: str) -> None:
    text = message(LINES)
    assert right in text
    with pytest.raises((AssertionError, KeyError)):
        check(ET.fromstring(text.replace(right, wrong, 1)))


def test_the_table_runs_nothing_in_a_spreadsheet() -> None:
    cells = ["=1+1", "+1", "-1", "@x", "\tx", " =1", 'a,b"c']
    evil = [Transfer(f"W{n}", Account(cell, iban="DE1"), Decimal("5.00"), cell) for n, cell in enumerate(cells)]
    rows = list(csv.DictReader(io.StringIO("".join(as_csv([*LINES, *evil], "USD")))))
    assert [row["amount"] for row in rows[:3]] == ["1234.50", "0.01", "99.99"]
    assert [row["holder"] for row in rows[3:]] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "' =1", 'a,b"c']
    assert rows[2]["note"] == "'=1+1"
    for row in rows:
        assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for cell in row.values())
