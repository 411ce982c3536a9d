"""The numbers of detectors in words: what each is called, and what it counts in. What it does stands beside it in the code, as its help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditlog.detectors.parameters import Parameter

CONFIDENCE, WEIGHT, PART, TIMES, USDC = "of 100", "0 to 1", "part of 1", "times", "USDC"
KINDS = {
    "payout": "Payout address",
    "device": "Device",
    "card": "Card",
    "ip": "Public address",
    "fingerprint": "Browser fingerprint",
    "trade": "Trade with each other",
    "opening": "Accounts opened together",
}
# Of a kind of link: how sure it makes, how fast that falls, and from when on it says nothing.
OF_KINDS = {
    "base": ("{}: weight between two", WEIGHT),
    "decay": ("{}: loss with more people", ""),
    "cap": ("{}: too common from", "people"),
}
WORDS: dict[str, tuple[str, str]] = {
    "account_minutes": ("Tries at one account, within", "minutes"),
    "account_points": ("Burst at one account", "points"),
    "account_tries": ("Tries at one account, too many from", "tries"),
    "accounts": ("New accounts at one payout address, from", "accounts"),
    "accounts_points": ("New accounts at one payout address", "points"),
    "address_accounts": ("Accounts tried from one address, from", "accounts"),
    "address_minutes": ("Accounts tried from one address, within", "minutes"),
    "address_points": ("New payout address", "points"),
    "alert_at": ("Staff are told from", CONFIDENCE),
    "amount_part": ("Nearly all of the balance is", PART),
    "amount_points": ("Large amount", "points"),
    "amount_times": ("Far beyond the usual price is", TIMES),
    "apart": ("Device not used in the same week", PART),
    "approval_limit": ("Credit that needs a second person", USDC),
    "approved_for_one": ("Approvals for one colleague in a day, from", "plans"),
    "bad_points": ("Found out before", "points"),
    "browser_points": ("Kind of browser never used before", "points"),
    "burst_points": ("Burst", "points"),
    "busy_points": ("Busy gateway, taken off", "points"),
    "busy_times": ("Busy is, others than those tried", TIMES),
    "card_at_home": ("Card shared in one household", PART),
    "card_days": ("New way to pay, within", "days"),
    "card_points": ("Cards", "points"),
    "cards": ("Different cards, from", "cards"),
    "circle_base": ("Circle of accounts: weight between two", WEIGHT),
    "circle_days": ("Circle of accounts, opened within", "days"),
    "circle_usual": ("Circle of accounts: loss where many are opened", TIMES),
    "clean_orders": ("Trusted client, from", "orders"),
    "country_points": ("Two countries", "points"),
    "credits_a_day": ("Credits of one agent in a day, from", USDC),
    "dealt_points": ("Earned from each other", "points"),
    "decline_points": ("Refused payments", "points"),
    "declines": ("Refused payments, from", "payments"),
    "device_accounts": ("Older accounts new in one browser, from", "accounts"),
    "device_points": ("Browser that is not known", "points"),
    "dismissed_a_day": ("Called harmless in a day, from", "incidents"),
    "exact_points": ("Takes just what was earned", "points"),
    "fanout_days": ("Others at an address, counted within", "days"),
    "fast_minutes": ("Done too fast is within", "minutes"),
    "fast_points": ("Done too fast", "points"),
    "full_ratio": ("All points from, times the first price", TIMES),
    "group_points": ("In a group of linked accounts", "points"),
    "habit_days": ("Against the habit, seen at least ago", "days"),
    "habit_points": ("Against the habit", "points"),
    "history_days": ("Habit, looked at over", "days"),
    "hold_at": ("Withdrawals wait from", CONFIDENCE),
    "hours_part": ("Unusual hour is below", PART),
    "hours_points": ("Unusual hour", "points"),
    "in_points": ("Somebody got in", "points"),
    "known_days": ("Account has habits after", "days"),
    "known_points": ("Told of before", "points"),
    "large_added": ("Always looked at from", USDC),
    "large_amount": ("Large amount, from", USDC),
    "least_orders": ("Rate says something from", "orders"),
    "least_rate": ("Too high a rate, from", PART),
    "least_ratio": ("Added at least, times the first price", TIMES),
    "least_share": ("Fresh money, at least", PART),
    "link_at": ("Two are linked from", WEIGHT),
    "link_points": ("How strongly they are linked", "points"),
    "linked_points": ("Linked with each other", "points"),
    "members": ("Group, at least", "accounts"),
    "more_points": ("More than too many", "points"),
    "most_habit_points": ("Against the habit, at most", "points"),
    "most_members": ("Group is taken apart beyond", "accounts"),
    "most_points": ("All together, at most", "points"),
    "most_rate_points": ("Rate, at most", "points"),
    "most_size_points": ("Size, at most", "points"),
    "near_days": ("Seen at an address together, within", "days"),
    "near_limit": ("Credits just below the limit, from", "credits"),
    "near_part": ("Just below the limit is within", PART),
    "no_papers_points": ("Without a verified identity", "points"),
    "old_days": ("Account counts as known after", "days"),
    "old_points": ("Linked only later, taken off", "points"),
    "only_points": ("Paid nobody else", "points"),
    "opening_days": ("Opened together, fades within", "days"),
    "others_fault": ("The other side's doing, from", "orders"),
    "own_points": ("Tried in a browser of its own, taken off", "points"),
    "pair_at": ("Odd pair, linked from", WEIGHT),
    "pair_points": ("Odd pair, taken off", "points"),
    "papers_part": ("Own verified identities, taken off", PART),
    "people_points": ("Several accounts do it", "points"),
    "place_points": ("Place that is not known", "points"),
    "quick_minutes": ("At once is within", "minutes"),
    "quick_points": ("Done at once", "points"),
    "rate_points": ("Rate of one", "points"),
    "ratio_points": ("How much was added", "points"),
    "review_points": ("Five stars from each other", "points"),
    "rule_points": ("Broken rule", "points"),
    "same_person": ("Viewings of one person in a week, beyond", "viewings"),
    "secret_points": ("Password or second factor changed", "points"),
    "share_points": ("All of it fresh", "points"),
    "shared_accounts": ("Weak signal: accounts at one address, from", "accounts"),
    "shared_days": ("Weak signal: at one address, within", "days"),
    "shared_people": ("Shared too widely from", "people"),
    "show_at": ("Weak signal from", CONFIDENCE),
    "size_points": ("Each account beyond three", "points"),
    "strange_points": ("Browser used for the first time", "points"),
    "suspended_points": ("Address of a suspended account", "points"),
    "taken_points": ("Taken out at once", "points"),
    "together_part": ("Seen together, least part of either", PART),
    "travel_minutes": ("Nobody travels within", "minutes"),
    "travel_points": ("Travelled too fast", "points"),
    "unknown_points": ("Age of the accounts is unknown", "points"),
    "used_part": ("Address that many use all the time, taken off", PART),
    "views_a_day": ("People viewed in a day, from", "people"),
    "views_above": ("People viewed, above the usual", "deviations"),
    "volume_points": ("More than half of the earnings", "points"),
    "wallet_link": ("Pays from the builder's wallet", WEIGHT),
    "week_orders": ("Gone wrong in a week, from", "orders"),
    "week_points": ("Gone wrong in a week", "points"),
    "week_points_alone": ("Gone wrong in a week, too few for a rate", "points"),
    "window_days": ("Looked back", "days"),
    "window_hours": ("Within", "hours"),
    "window_minutes": ("Within", "minutes"),
    "young_builder_days": ("New builder is within", "days"),
    "young_builder_points": ("New builder", "points"),
    "young_client_days": ("New client is within", "days"),
    "young_client_points": ("New client", "points"),
    "young_days": ("New is within", "days"),
    "young_points": ("New account", "points"),
}
UNITS = ("points", "days", "hours", "minutes", "accounts", "people", "orders")


@dataclass(frozen=True, slots=True)
class Term:
    """A number of a detector as people read it."""

    label: str
    unit: str

    def said(self, value: float) -> str:
        """A value with what it counts in."""
        return f"{value:g} {self.unit}".strip() if self.unit not in (PART, WEIGHT) else f"{value:g}"


def term_of(name: str) -> Term:
    """What is new and has no words yet is called as it is written, without its lines."""
    kind, _, what = name.rpartition("_")
    if kind in KINDS and what in OF_KINDS and name not in WORDS:
        words, unit = OF_KINDS[what]
        return Term(words.format(KINDS[kind]), unit)
    if name in WORDS:
        return Term(*WORDS[name])
    return Term(name.replace("_", " ").capitalize(), next((unit for unit in UNITS if what == unit or name == unit), ""))


def bounds_words(parameter: Parameter) -> str:
    """Between which values it lies, and where it usually is."""
    return f"{parameter.least:g} to {parameter.most:g}, usually {parameter.value:g}"


def changes_of(parameters: Mapping[str, Parameter], values: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """What a version does in another way: its words, the usual value and its own."""
    found = []
    for name, value in values.items():
        term = term_of(name)
        usual = parameters[name].value if name in parameters else 0
        found.append((term.label, term.said(usual), term.said(value)))
    return found
