"""Bank accounts as people write them, and what can be checked of them without asking a bank."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _

from port444.kit.errors import Invalid

# How long an IBAN is, by its country (the IBAN registry).
IBAN_LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FK FO GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO EG GT HN HU LB NI PL SV",
        "29": "BR PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
COUNTRY_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM
CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY
HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF
MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE
RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ
VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
"""
COUNTRIES = frozenset(COUNTRY_CODES.split())
BLANKS = re.compile(r"[\s\u00a0.\-]+")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}")
BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")
NUMBER = re.compile(r"[A-Z0-9]{3,34}")
# The letters that banks agree on for names (the Latin set of ISO 20022 usage guides).
PLAIN = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]+")
UNFOLDED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "œ": "oe", "Œ": "OE", "ð": "d"}
)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account it is, and either its IBAN or its number with the bank's BIC and country."""

    holder: str
    iban: str = ""
    number: str = ""
    bic: str = ""
    country: str = ""

    @property
    def masked(self) -> str:
        """As pages show it: enough to tell two accounts apart, not enough to use one."""
        if self.iban:
            return f"{self.iban[:4]} … {self.iban[-4:]}"
        return f"{self.bic[:8]} … {self.number[-min(4, len(self.number) // 2) :]}"

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value}


def plain(text: str) -> str:
    """`text` in the letters that every bank takes: accents fall away, what is left over is dropped."""
    folded = unicodedata.normalize("NFKD", text.translate(UNFOLDED))
    letters = "".join(letter if PLAIN.fullmatch(letter) else " " if letter.isspace() else "" for letter in folded)
    return " ".join(letters.split())


def read_iban(text: str) -> str:
    """The IBAN in `text`, without blanks and in capitals. Raises Invalid unless country, length and check digits are right."""
    iban = BLANKS.sub("", text).upper()
    if not (iban.isascii() and IBAN.fullmatch(iban)):
        raise Invalid(_("An IBAN begins with two letters and two digits, for example DE89 3704 0044 0532 0130 00."), code="iban_format")
    length = IBAN_LENGTHS.get(iban[:2])
    if length is None:
        raise Invalid(_("Banks in %(iban)s use no IBAN. Give the account number and the BIC instead.") % {"iban": iban[:2]}, code="iban_country")
    if len(iban) != length:
        raise Invalid(
            _("An IBAN of %(iban)s has %(length)s letters and digits; this one has %(found)s.")
            % {"iban": iban[:2], "length": length, "found": len(iban)},
            code="iban_length",
        )
    if int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 != 1:
        raise Invalid(_("The check digits of this IBAN are wrong. Please compare it once more."), code="iban_checksum")
    return iban


def read_account(*, holder: str, iban: str = "", number: str = "", bic: str = "", country: str = "") -> Account:
    """The account that a person has written down. Raises Invalid when it cannot be one."""
    holder = " ".join(holder.split())
    if not 2 <= len(holder) <= 70:
        raise Invalid(_("Give the name of the account holder, in 2 to 70 letters."), code="holder")
    if (
        not holder.isprintable()
        or sum(letter.isalpha() for letter in plain(holder)) < sum(letter.isalpha() for letter in holder)
        or not plain(holder)
    ):
        raise Invalid(_("Write the name in Latin letters, as the bank does."), code="holder_letters")
    bic, country, number = BLANKS.sub("", bic).upper(), country.strip().upper(), BLANKS.sub("", number).upper()
    if bic and not (bic.isascii() and BIC.fullmatch(bic)):
        raise Invalid(_("A BIC has 8 or 11 letters and digits, for example BCEELULL."), code="bic_format")
    if bic and bic[4:6] not in COUNTRIES:
        raise Invalid(_("A BIC names its country in the fifth and sixth place; %(bic)s is none.") % {"bic": bic[4:6]}, code="bic_country")
    if iban.strip():
        if number:
            raise Invalid(_("Give either an IBAN or an account number, not both."), code="account_both")
        return Account(holder, iban=read_iban(iban), bic=bic)
    if not number:
        raise Invalid(_("Give the IBAN, or the account number with the bank's BIC and country."), code="account_missing")
    if not (number.isascii() and NUMBER.fullmatch(number)):
        raise Invalid(_("An account number has 3 to 34 letters and digits."), code="account_format")
    if not bic:
        raise Invalid(_("An account number needs the BIC of its bank."), code="bic_missing")
    if country not in COUNTRIES:
        raise Invalid(_("Give the bank's country by its two letters, for example US."), code="country")
    if bic[4:6] != country:
        raise Invalid(_("This BIC belongs to a bank in %(bic)s, not in %(country)s.") % {"bic": bic[4:6], "country": country}, code="country_differs")
    if country in IBAN_LENGTHS and country not in ("CR", "DO", "EG", "GT", "NI", "RU", "SV", "TL"):
        raise Invalid(_("Banks in %(country)s use an IBAN. Please give that.") % {"country": country}, code="iban_needed")
    return Account(holder, number=number, bic=bic, country=country)
