"""Which pages a viewing shows, by the name of the view. What is not in `OPEN` is refused; a test sees to it that every address of the
site is in one of the lists, so that a new page is a decision."""

from __future__ import annotations

from enum import Enum

# Shown as the person sees them, without a way to write.
OPEN = frozenset(
    {
        "amendments:detail",
        "amendments:list",
        "away:home",
        "builders:detail",
        "builders:edit",
        "catalog:cover",
        "catalog:create",
        "catalog:edit",
        "catalog:mine",
        "catalog:search",
        "catalog:service",
        "consultations:availability",
        "consultations:book",
        "consultations:detail",
        "consultations:list",
        "messaging:inbox",
        "messaging:thread",
        "notifications:list",
        "notifications:settings",
        "orders:detail",
        "orders:dispute",
        "orders:list",
        "orders:offer",
        "orders:today",
        "payments:credits",
        "payments:invoice",
        "payments:invoices",
    }
)

# Never shown, and why. A name that ends with `*` stands for all that begin so; it closes pages, and never opens one.
ACCOUNT, MONEY, STEPS, SCRIPTS, SECRETS, OUTSIDE, FILES = (
    "Passwords, second factors, addresses and sign-ins stay closed, whoever asks.",
    "Wallets, bank accounts and payments stay closed, whoever asks.",
    "Only the person can do this.",
    "It is asked for by scripts, which do not run in a viewing.",
    "What it shows would let somebody in.",
    "It is for other programs.",
    "Files are not taken away through a viewing.",
)
CLOSED = {
    "account_*": ACCOUNT,
    "mfa_*": ACCOUNT,
    "accounts:*": ACCOUNT,
    "webhooks:*": OUTSIDE,
    "payments:*": MONEY,
    "payments:invoice_pdf": FILES,
    "messaging:attachment": FILES,
    "consultations:ics": FILES,
    "consultations:feed": SECRETS,
    "consultations:feed_file": SECRETS,
    "consultations:join": SECRETS,
    "consultations:room": SECRETS,
    "consultations:calendars": SECRETS,
    "consultations:calendar_callback": SECRETS,
    "consultations:connect_calendar": SECRETS,
    "consultations:why": SECRETS,
    "amendments:live": SCRIPTS,
    "consultations:quote": SCRIPTS,
    "consultations:times": SCRIPTS,
    "messaging:poll": SCRIPTS,
    "messaging:read": SCRIPTS,
    "notifications:bell": SCRIPTS,
    "orders:dispute_live": SCRIPTS,
    "orders:live": SCRIPTS,
    "catalog:hints": SCRIPTS,
    "catalog:new_hints": SCRIPTS,
    "api:*": OUTSIDE,
    "consultations:calcom_hook": OUTSIDE,
    "consultations:google_hook": OUTSIDE,
    "consultations:graph_hook": OUTSIDE,
    "consultations:zoom_hook": OUTSIDE,
    "notifications:sms_reply": OUTSIDE,
    "notifications:outbox": OUTSIDE,
    "notifications:captured": OUTSIDE,
    "notifications:captured_html": OUTSIDE,
    "notifications:captured_part": OUTSIDE,
    "amendments:propose": STEPS,
    "amendments:revise": STEPS,
    "consultations:move": STEPS,
    "messaging:report": STEPS,
    "messaging:report_person": STEPS,
    "messaging:start": STEPS,
    "notifications:unsubscribe": STEPS,
    "orders:counter_offer": STEPS,
    "orders:new_offer": STEPS,
    "orders:open_dispute": STEPS,
}
# Answered to the agent as whom they are, whether or not a viewing is open: nothing of the person is in it. Portraits are the same for
# everybody, and a page has dozens of them.
OWN = frozenset({"builders:photo", "healthz", "readyz"})
CONSOLE = ("support:", "admin:")
SIGN_OUT = "account_logout"


class Place(Enum):
    """What an address is to a viewing."""

    OPEN = "open"
    CLOSED = "closed"
    OWN = "own"


def place_of(name: str) -> Place:
    """What the view of this name is; what no list knows is closed."""
    if name in OPEN:
        return Place.OPEN
    return Place.OWN if name in OWN or name.startswith(CONSOLE) else Place.CLOSED


def why_closed(name: str) -> str:
    """The reason in words; empty for a name that no list knows."""
    begun = (why for start, why in CLOSED.items() if start.endswith("*") and name.startswith(start[:-1]))
    return CLOSED.get(name) or next(begun, "")
