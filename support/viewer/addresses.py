"""Which pages a viewing shows, by the name of the view. What is not in `OPEN` is refused; a test sees to it that every address of the
site is in one of the lists, so that a new page is a decision."""

from __future__ import annotations

from enum import Enum

# Shown as the person sees them, without a way to write.
OPEN = frozenset(
    {
        "amendments:detail",
        "amendments:list",
        "api:find",
        "api:get_amendment",
        "api:get_availability",
        "api:get_away",
        "api:get_builder",
        "api:get_call_proposal",
        "api:get_consultation",
        "api:get_consultation_timeline",
        "api:get_conversation",
        "api:get_credit",
        "api:get_dispute",
        "api:get_invoice",
        "api:get_message",
        "api:get_offer",
        "api:get_order",
        "api:get_order_again",
        "api:get_parting",
        "api:get_requirements",
        "api:get_service",
        "api:get_insights",
        "api:list_amendments",
        "api:list_builder_reviews",
        "api:list_calendar_slots",
        "api:list_call_proposals",
        "api:list_categories",
        "api:list_client_reviews",
        "api:list_consultation_proposals",
        "api:list_consultations",
        "api:list_conversations",
        "api:list_credits",
        "api:list_deliveries",
        "api:list_disputes",
        "api:list_favourites",
        "api:list_invoices",
        "api:list_messages",
        "api:list_notifications",
        "api:list_offers",
        "api:list_order_reviews",
        "api:list_orders",
        "api:list_service_reviews",
        "api:list_partings",
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
        "favourites:saved",
        "messaging:inbox",
        "messaging:thread",
        "notifications:list",
        "notifications:settings",
        "orders:again",
        "orders:builder_reviews",
        "orders:client_reviews",
        "orders:detail",
        "orders:dispute",
        "orders:insights",
        "orders:list",
        "orders:offer",
        "orders:service_reviews",
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
    "api:explain_calendar_slot": SECRETS,
    "api:get_calendar_feed": SECRETS,
    "api:get_consultation_conversion": STEPS,
    "api:get_consultation_ics": FILES,
    "api:get_consultation_room": SECRETS,
    "api:get_file": FILES,
    "api:get_earnings": MONEY,
    "api:get_me": ACCOUNT,
    "api:get_order_funds": MONEY,
    "api:get_payment": MONEY,
    "api:get_refund": MONEY,
    "api:get_spending": MONEY,
    "api:get_withdrawal": MONEY,
    "api:list_calendars": SECRETS,
    "api:list_move_slots": STEPS,
    "api:get_webhook": SECRETS,
    "api:get_webhook_delivery": SECRETS,
    "api:list_tokens": ACCOUNT,
    "api:list_webhook_deliveries": SECRETS,
    "api:list_webhooks": SECRETS,
    "api:list_withdrawals": MONEY,
    "api:quote_cancel": STEPS,
    "api:quote_consultation": STEPS,
    "api:quote_consultation_cancel": STEPS,
    "consultations:calcom_hook": OUTSIDE,
    "consultations:google_hook": OUTSIDE,
    "consultations:graph_hook": OUTSIDE,
    "consultations:zoom_hook": OUTSIDE,
    "notifications:sms_reply": OUTSIDE,
    "notifications:outbox": OUTSIDE,
    "notifications:captured": OUTSIDE,
    "notifications:captured_html": OUTSIDE,
    "notifications:captured_part": OUTSIDE,
    "amendments:more_time": STEPS,
    "amendments:propose": STEPS,
    "amendments:revise": STEPS,
    "consultations:move": STEPS,
    "messaging:report": STEPS,
    "messaging:report_person": STEPS,
    "messaging:start": STEPS,
    "notifications:unsubscribe": STEPS,
    "orders:counter_offer": STEPS,
    "orders:end": STEPS,
    "orders:new_offer": STEPS,
    "orders:open_dispute": STEPS,
    "orders:report_review": STEPS,
}
# Answered to the agent as whom they are, whether or not a viewing is open: nothing of the person is in it. Portraits are the same for
# everybody, and a page has dozens of them.
OWN = frozenset({"api_docs", "builders:photo", "healthz", "readyz"})
CONSOLE = ("support:", "admin:")
# The console, for programs.
CONSOLE_CALLS = frozenset(
    {
        "api:agree_to_close_incident",
        "api:approve_support_plan",
        "api:ask_in_support_dispute",
        "api:assign_incident",
        "api:check_incident",
        "api:close_incidents",
        "api:decide_support_dispute",
        "api:decline_support_plan",
        "api:decline_to_close_incident",
        "api:end_impersonation",
        "api:end_support_viewing",
        "api:end_suppression",
        "api:export_audit_logs",
        "api:find_support_users",
        "api:get_incident",
        "api:get_support_dispute",
        "api:get_support_dispute_file",
        "api:get_support_plan",
        "api:get_support_user",
        "api:hold_for_incident",
        "api:hold_support_payouts",
        "api:impersonate",
        "api:investigate_incident",
        "api:issue_support_credit",
        "api:list_audit_logs",
        "api:list_incidents",
        "api:list_support_actions",
        "api:list_support_disputes",
        "api:list_support_macros",
        "api:list_support_plans",
        "api:list_support_queues",
        "api:list_suppressions",
        "api:merge_incident",
        "api:merge_support_orders",
        "api:note_on_incident",
        "api:open_incident",
        "api:put_incident_back",
        "api:refund_by_support",
        "api:reinstate_support_user",
        "api:reopen_incident",
        "api:resolve_incident",
        "api:run_support_macro",
        "api:split_support_order",
        "api:submit_support_plan",
        "api:suspend_support_user",
        "api:take_next_incident",
        "api:undo_support_plan",
        "api:void_support_credit",
        "api:withdraw_support_plan",
    }
)
END = "api:end_impersonation"
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
    return Place.OWN if name in OWN or name in CONSOLE_CALLS or name.startswith(CONSOLE) else Place.CLOSED


def why_closed(name: str) -> str:
    """The reason in words; empty for a name that no list knows."""
    begun = (why for start, why in CLOSED.items() if start.endswith("*") and name.startswith(start[:-1]))
    return CLOSED.get(name) or next(begun, "")
