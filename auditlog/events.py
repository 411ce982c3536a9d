"""The names of what can be logged: `noun.past`, with its category and severity."""

from __future__ import annotations

from enum import Enum

from .models import Category, Severity

FINANCIAL, ADMIN, SECURITY, USER = Category.FINANCIAL, Category.ADMINISTRATIVE, Category.SECURITY, Category.USER_ACTION
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


class Event(Enum):
    """One kind of fact: (name, category, severity, what a person reads)."""

    # People
    USER_SIGNED_UP = "user.signed_up", SECURITY, INFO, "Signed up"
    LOGIN = "auth.login", SECURITY, INFO, "Signed in"
    LOGIN_FAILED = "auth.login_failed", SECURITY, WARNING, "Failed to sign in"
    LOGOUT = "auth.logout", SECURITY, INFO, "Signed out"
    PASSWORD_CHANGED = "auth.password_changed", SECURITY, INFO, "Changed the password"
    EMAIL_CHANGED = "auth.email_changed", SECURITY, INFO, "Changed the e-mail address"
    SECOND_FACTOR_CHANGED = "auth.second_factor_changed", SECURITY, INFO, "Changed the second factor"
    USER_SUSPENDED = "user.suspended", ADMIN, WARNING, "Suspended an account"
    USER_REINSTATED = "user.reinstated", ADMIN, WARNING, "Reinstated an account"
    PROFILE_CHANGED = "user.profile_changed", USER, INFO, "Changed the profile"
    ADMIN_EDIT = "admin.edited", ADMIN, WARNING, "Edited by staff"
    # Selling
    BUILDER_CHANGED = "builder.changed", USER, INFO, "Changed the builder profile"
    SERVICE_CHANGED = "service.changed", USER, INFO, "Changed a service"
    SERVICE_PUBLISHED = "service.published", USER, INFO, "Published a service"
    SERVICE_PAUSED = "service.paused", USER, INFO, "Paused a service"
    # Money
    INVOICE_OPENED = "invoice.opened", FINANCIAL, INFO, "Opened an invoice"
    INVOICE_PAID = "invoice.paid", FINANCIAL, INFO, "Paid an invoice"
    INVOICE_VOIDED = "invoice.voided", FINANCIAL, INFO, "Voided an invoice"
    PAYMENT_STARTED = "payment.started", FINANCIAL, INFO, "Started a payment"
    PAYMENT_SUCCEEDED = "payment.succeeded", FINANCIAL, INFO, "Payment succeeded"
    PAYMENT_FAILED = "payment.failed", FINANCIAL, INFO, "Payment failed"
    PAYMENT_WALLET_CHOSEN = "payment.wallet_chosen", FINANCIAL, INFO, "Chose a wallet to pay from"
    TRANSFER_RETURNED = "transfer.returned", FINANCIAL, WARNING, "Sent a transfer back that fitted nothing"
    REFUND_REQUESTED = "refund.requested", FINANCIAL, INFO, "Asked for a refund"
    REFUND_COMPLETED = "refund.completed", FINANCIAL, INFO, "Refund completed"
    REFUND_FAILED = "refund.failed", FINANCIAL, WARNING, "Refund failed"
    CREDIT_ISSUED = "credit.issued", FINANCIAL, INFO, "Gave a credit"
    CREDIT_USED = "credit.used", FINANCIAL, INFO, "Used a credit"
    CREDIT_RETURNED = "credit.returned", FINANCIAL, INFO, "Gave a used credit back"
    CREDIT_WITHDRAWN = "credit.withdrawn", FINANCIAL, INFO, "Withdrew a credit"
    ESCROW_FUNDED = "escrow.funded", FINANCIAL, INFO, "Funded escrow"
    ESCROW_RELEASED = "escrow.released", FINANCIAL, INFO, "Released escrow"
    ESCROW_REFUNDED = "escrow.refunded", FINANCIAL, INFO, "Refunded from escrow"
    ESCROW_MOVED = "escrow.moved", FINANCIAL, WARNING, "Moved escrow to another deal"
    ESCROW_EXTENDED = "escrow.extended", FINANCIAL, INFO, "Put off the end of an escrow"
    ESCROW_HELD = "escrow.held", FINANCIAL, WARNING, "Held or freed escrow for a dispute"
    ESCROW_RECLAIMED = "escrow.reclaimed", FINANCIAL, WARNING, "Took back from escrow on the chain"
    ESCROW_OWN_WITHDRAWAL = "escrow.own_withdrawal", FINANCIAL, INFO, "Withdrew on the chain without the platform"
    ESCROW_RETRIED = "escrow.retried", ADMIN, WARNING, "Had an escrow operation tried again"
    ESCROW_GIVEN_UP = "escrow.given_up", ADMIN, WARNING, "Gave up an escrow operation"
    ESCROW_CANCELLED = "escrow.cancelled", ADMIN, WARNING, "Cancelled an escrow operation"
    CHAIN_DIFFERENCE_FOUND = "chain.difference_found", FINANCIAL, CRITICAL, "Books and chain differ"
    CHAIN_DIFFERENCE_GONE = "chain.difference_gone", FINANCIAL, INFO, "Books and chain agree again"
    CHAIN_DIFFERENCE_SETTLED = "chain.difference_settled", ADMIN, WARNING, "Saw to a difference between books and chain"
    ESCROW_FAILED = "escrow.failed", FINANCIAL, CRITICAL, "Escrow operation failed"
    EARNING_CREDITED = "earning.credited", FINANCIAL, INFO, "Credited earnings"
    PAYOUT_ADDRESS_CHANGED = "payout_address.added", SECURITY, WARNING, "Changed the payout address"
    BANK_ACCOUNT_CHANGED = "bank_account.added", SECURITY, WARNING, "Changed the bank account"
    BANK_ACCOUNT_REMOVED = "bank_account.removed", SECURITY, INFO, "Removed the bank account"
    WITHDRAWAL_REQUESTED = "withdrawal.requested", FINANCIAL, INFO, "Asked for a withdrawal"
    WITHDRAWAL_COMPLETED = "withdrawal.completed", FINANCIAL, INFO, "Withdrawal completed"
    WITHDRAWAL_FAILED = "withdrawal.failed", FINANCIAL, WARNING, "Withdrawal failed"
    WITHDRAWAL_CANCELLED = "withdrawal.cancelled", FINANCIAL, INFO, "Cancelled a withdrawal"
    WITHDRAWAL_HELD = "withdrawal.held", FINANCIAL, WARNING, "Held a withdrawal"
    WITHDRAWAL_RELEASED = "withdrawal.released", FINANCIAL, WARNING, "Ended the hold of a withdrawal"
    PAYOUTS_HELD = "payouts.held", FINANCIAL, WARNING, "Held all withdrawals of a person"
    PAYOUTS_RELEASED = "payouts.released", FINANCIAL, WARNING, "Ended the hold on all withdrawals of a person"
    PAYOUT_BATCH_MADE = "payout_batch.made", FINANCIAL, INFO, "Made a batch of bank transfers"
    PAYOUT_BATCH_EXPORTED = "payout_batch.exported", FINANCIAL, WARNING, "Downloaded a batch of bank transfers"
    PAYOUT_BATCH_CLOSED = "payout_batch.closed", FINANCIAL, INFO, "Closed a batch of bank transfers"
    # Orders
    ORDER_PLACED = "order.placed", USER, INFO, "Placed an order"
    ORDER_PAID = "order.paid", FINANCIAL, INFO, "Order paid into escrow"
    ORDER_STARTED = "order.started", USER, INFO, "Answered the requirements"
    ORDER_DELIVERED = "order.delivered", USER, INFO, "Delivered"
    REVISION_REQUESTED = "order.revision_requested", USER, INFO, "Asked for a revision"
    ORDER_COMPLETED = "order.completed", USER, INFO, "Order completed"
    ORDER_CANCELLED = "order.cancelled", USER, INFO, "Cancelled an order"
    ORDER_EXPIRED = "order.expired", USER, INFO, "Unpaid order expired"
    ORDER_REVIEWED = "order.reviewed", USER, INFO, "Reviewed an order"
    ORDER_TERMS_CHANGED = "order.terms_changed", FINANCIAL, INFO, "Changed the terms of an order"
    # Amendments
    AMENDMENT_PROPOSED = "amendment.proposed", USER, INFO, "Proposed a change of an order"
    AMENDMENT_REVISED = "amendment.revised", USER, INFO, "Proposed a change of an order in a new version"
    AMENDMENT_CHANGES_ASKED = "amendment.changes_asked", USER, INFO, "Asked for another version of a proposed change"
    AMENDMENT_APPROVED = "amendment.approved", USER, INFO, "Approved a change of an order"
    AMENDMENT_REJECTED = "amendment.rejected", USER, INFO, "Declined a change of an order"
    AMENDMENT_WITHDRAWN = "amendment.withdrawn", USER, INFO, "Withdrew a proposed change of an order"
    AMENDMENT_EXPIRED = "amendment.expired", USER, INFO, "Proposed change of an order expired"
    AMENDMENT_PAID = "amendment.paid", FINANCIAL, INFO, "Change of an order paid"
    AMENDMENT_FUNDING = "amendment.funding", FINANCIAL, INFO, "Change of an order goes into escrow"
    AMENDMENT_FUNDING_FAILED = "amendment.funding_failed", FINANCIAL, WARNING, "Escrow did not take a change of an order"
    AMENDMENT_COMPLETED = "amendment.completed", FINANCIAL, INFO, "Change of an order came into force"
    AMENDMENT_REFUNDED = "amendment.refunded", FINANCIAL, INFO, "Change of an order given up, its money returned"
    # Calls
    AVAILABILITY_CHANGED = "availability.changed", USER, INFO, "Changed availability"
    CALL_HELD = "consultation.held", USER, INFO, "Held a time for a call"
    CALL_SCHEDULED = "consultation.scheduled", USER, INFO, "Call confirmed"
    CALL_EXPIRED = "consultation.expired", USER, INFO, "Hold on a call expired"
    CALL_MOVED = "consultation.moved", USER, INFO, "Moved a call"
    CALL_PROPOSED = "consultation.proposed", USER, INFO, "Proposed a change to a call"
    CALL_PROPOSAL_ANSWERED = "consultation.proposal_answered", USER, INFO, "Proposed change to a call settled"
    CALL_CANCELLED = "consultation.cancelled", USER, INFO, "Cancelled a call"
    CALL_ROOM_MADE = "consultation.room_made", USER, INFO, "Made the room of a call"
    CALL_JOINED = "consultation.joined", USER, INFO, "Went into the room of a call"
    CALL_COMPLETED = "consultation.completed", USER, INFO, "Call completed"
    CALL_NO_SHOW = "consultation.no_show", FINANCIAL, INFO, "Call not attended"
    ABSENCE_SUGGESTED = "absence.suggested", USER, INFO, "Only one side seen in a call"
    ABSENCE_REPORTED = "absence.reported", USER, INFO, "Said that the other side did not come"
    ABSENCE_DISPUTED = "absence.disputed", USER, WARNING, "Disputed a missed call"
    ABSENCE_DISMISSED = "absence.dismissed", USER, INFO, "Missed call dismissed"
    ABSENCE_DECIDED = "absence.decided", ADMIN, WARNING, "Decided a dispute about a missed call"
    CALENDAR_CONNECTED = "calendar.connected", SECURITY, INFO, "Connected a calendar"
    CALENDAR_CHANGED = "calendar.changed", USER, INFO, "Chose what calendars are used for"
    CALENDAR_BROKEN = "calendar.broken", SECURITY, WARNING, "A calendar refused our access"
    CALENDAR_DISCONNECTED = "calendar.disconnected", SECURITY, INFO, "Disconnected a calendar"
    CALENDAR_FEED_RENEWED = "calendar_feed.renewed", SECURITY, INFO, "Made a private calendar address"
    # Talk
    CONVERSATION_OPENED = "conversation.opened", USER, INFO, "Opened a conversation"
    FILE_UPLOADED = "file.uploaded", USER, INFO, "Uploaded a file"
    # The log itself
    INCIDENT_OPENED = "incident.opened", SECURITY, WARNING, "Opened an incident"

    def __init__(self, key: str, category: Category, severity: Severity, words: str) -> None:
        self.key = key
        self.category = category
        self.severity = severity
        self.words = words
