"""What the platform holds of a person, table by table. A table stands in exactly one of two lists: what is handed over on request, and
what is not, with the reason. A test compares both with the database, so that no new table is forgotten.

In conditions `me` is the person, `t` the table's row; see `RELATIONS` for the rest. Columns that name another person are printed as the
site shows them: by name alone.
"""

from __future__ import annotations

from dataclasses import dataclass

ORDERS = "SELECT o.id FROM orders_order o WHERE o.client_id = {me} OR o.builder_id IN ({shop})"
CALLS = "SELECT k.id FROM consultations_consultation k WHERE k.client_id = {me} OR k.builder_id IN ({shop})"
# What stands in braces in conditions.
RELATIONS = {
    "me": "%(me)s::uuid",
    "shop": "SELECT b.id FROM builders_builder b WHERE b.user_id = {me}",
    "orders": ORDERS,
    "calls": CALLS,
    "talks": "SELECT c.id FROM messaging_conversation c WHERE c.client_id = {me} OR c.builder_id = {me}",
    "services": "SELECT s.id FROM catalog_service s WHERE s.builder_id IN ({shop})",
    "invoices": "SELECT i.id FROM payments_invoice i WHERE i.payer_id = {me} OR i.payee_id = {me}",
    "payments": "SELECT p.id FROM payments_payment p JOIN payments_invoice i ON i.id = p.invoice_id WHERE i.payer_id = {me}",
    "accounts": "SELECT l.id FROM payments_ledgeraccount l WHERE l.owner_id = {me}",
    "credits": "SELECT d.id FROM payments_credit d WHERE d.user_id = {me}",
    "deliveries": f"SELECT x.id FROM orders_delivery x WHERE x.order_id IN ({ORDERS})",
    "requirements": f"SELECT x.id FROM orders_requirement x WHERE x.order_id IN ({ORDERS})",
    "disputes": f"SELECT x.id FROM orders_dispute x WHERE x.order_id IN ({ORDERS})",
    "endpoints": "SELECT h.id FROM webhooks_webhookendpoint h WHERE h.user_id = {me}",
    "calendars": (
        "SELECT y.id FROM consultations_linkedcalendar y JOIN consultations_calendarlink z ON z.id = y.link_id WHERE z.builder_id IN ({shop})"
    ),
    "addresses": (
        "SELECT lower(a.email) FROM account_emailaddress a WHERE a.user_id = {me} UNION SELECT lower(u.email) FROM accounts_user u WHERE u.id = {me}"
    ),
}


@dataclass(frozen=True, slots=True)
class Held:
    """The rows of a table that are of a person, and what of them is handed over.

    `words` say to the person what it is; `only` are the columns that are given, when not all are; `without` are columns that are not;
    `instead` are columns that depend on who reads.
    """

    words: str
    where: str
    only: str = ""
    without: str = ""
    instead: dict[str, str] | None = None


HELD = {
    "account_emailaddress": Held("Your e-mail addresses", "t.user_id = {me}"),
    "accounts_answeredcall": Held("What your programs asked of us", "t.user_id = {me}", without="answer asked"),
    "accounts_apitoken": Held("Your programs, without what lets them in", "t.user_id = {me}", without="digest"),
    "accounts_queuedmail": Held("Mails about your account", "lower(t.to) IN ({addresses})", only="id to subject created_at sent_at"),
    "accounts_session": Held("Browsers in which you are signed in", "t.user_id = {me}", only="user_id device_id expire_date"),
    "accounts_user": Held("Your account", "t.id = {me}", without="password"),
    "accounts_user_groups": Held("Your groups, if you are of the staff", "t.user_id = {me}"),
    "accounts_user_user_permissions": Held("Your permissions, if you are of the staff", "t.user_id = {me}"),
    "accounts_userdevice": Held("Browsers from which you have signed in", "t.user_id = {me}"),
    "amendments_amendment": Held("Changes of your orders", "t.order_id IN ({orders})", without="client_key funding funding_failure"),
    "audit_log": Held(
        "What you did, and failed tries to sign in to your account, as our log has it",
        "(t.actor_id = {me} AND t.event_type NOT LIKE 'row.%%') OR (t.target_id = {me} AND t.actor_id IS NULL AND t.event_type LIKE 'auth.%%')",
        only="id timestamp event_type action target_type target_id amount currency transaction_hash ip_address user_agent device_id",
    ),
    "away_duemove": Held("Due dates that moved because somebody was away", "t.order_id IN ({orders})"),
    "away_returnalert": Held("Builders of whose return you want to hear", "t.user_id = {me}"),
    "away_span": Held("When you were away, or will be", "t.builder_id IN ({shop})"),
    "builders_builder": Held("Your builder profile", "t.user_id = {me}"),
    "builders_portfoliopicture": Held(
        "Pictures of your portfolio; their bytes are in files/",
        "t.piece_id IN (SELECT w.id FROM builders_portfoliopiece w WHERE w.builder_id IN ({shop}))",
    ),
    "builders_portfoliopiece": Held("Your portfolio", "t.builder_id IN ({shop})"),
    "catalog_package": Held("Packages of your services", "t.service_id IN ({services})"),
    "catalog_pricepoint": Held("What your sales come to", "t.builder_id IN ({shop})"),
    "catalog_pricesample": Held("Prices of your sales", "t.builder_id IN ({shop})"),
    "catalog_serviceday": Held("How many people looked at your services", "t.service_id IN ({services})"),
    "catalog_savedsearch": Held("Searches that you saved", "t.user_id = {me}", without="told_until due_at"),
    "catalog_service": Held("Your services", "t.builder_id IN ({shop})"),
    "consultations_absence": Held("Missed calls", "t.consultation_id IN ({calls})"),
    "consultations_attendance": Held("Who was seen in your calls", "t.consultation_id IN ({calls})", without="external_id"),
    "consultations_availabilityrule": Held("When you take calls", "t.builder_id IN ({shop})"),
    "consultations_calendarevent": Held("Copies of calls in your calendars", "t.calendar_id IN ({calendars})", without="etag written_hash"),
    "consultations_calendarfeed": Held("Whether you have a private calendar address", "t.user_id = {me}", only="user_id read_at"),
    "consultations_calendarlink": Held("Calendars that you connected", "t.builder_id IN ({shop})", without="credentials hook_secret"),
    "consultations_callsettings": Held("How you take calls", "t.builder_id IN ({shop})"),
    "consultations_consultation": Held(
        "Your calls",
        "t.client_id = {me} OR t.builder_id IN ({shop})",
        without="client_key meeting_id",
        instead={"builder_notes": "CASE WHEN t.builder_id IN ({shop}) THEN t.builder_notes ELSE '' END"},
    ),
    "consultations_dayoff": Held("Days without calls", "t.builder_id IN ({shop})"),
    "consultations_externalevent": Held("Busy times read from your calendars", "t.builder_id IN ({shop})"),
    "consultations_linkedcalendar": Held("Calendars of the accounts that you connected", "t.id IN ({calendars})", without="sync_token"),
    "consultations_meetingroom": Held("Rooms of your calls", "t.consultation_id IN ({calls})", without="external_id host"),
    "consultations_proposal": Held("Proposed changes of your calls", "t.consultation_id IN ({calls})"),
    "consultations_reminder": Held("Reminders of calls to you", "t.recipient_id = {me}"),
    "consultations_slotclaim": Held("Times taken for your calls", "t.client_id = {me} OR t.builder_id IN ({shop})"),
    "django_admin_log": Held("What you changed in the records, if you are of the staff", "t.user_id = {me}"),
    "exports_closing": Held("When you asked to close your account", "t.user_id = {me}"),
    "exports_personalcopy": Held("Copies of your data that you asked for", "t.user_id = {me}"),
    "messaging_attachment": Held("Files of your conversations; the bytes of those that you uploaded are in files/", "t.conversation_id IN ({talks})"),
    "messaging_conversation": Held("Your conversations", "t.client_id = {me} OR t.builder_id = {me}", without="rests_at"),
    "messaging_firstanswer": Held("How soon you first answered new clients", "t.builder_id IN ({shop})", without="due_at"),
    "messaging_message": Held("Messages of your conversations, of both sides", "t.conversation_id IN ({talks})", without="client_key said"),
    "messaging_personreport": Held("People whom you reported", "t.reporter_id = {me}"),
    "messaging_readmarker": Held("How far you have read", "t.user_id = {me}"),
    "messaging_report": Held("Conversations that you reported", "t.reporter_id = {me}"),
    "mfa_authenticator": Held("Your second factors, without what they are made of", "t.user_id = {me}", without="data"),
    "notifications_delivery": Held(
        "Mails and messages that you were sent", "t.notification_id IN (SELECT n.id FROM notifications_notification n WHERE n.user_id = {me})"
    ),
    "notifications_notification": Held("Notifications to you", "t.user_id = {me}", without="dedupe_key"),
    "favourites_favourite": Held("What you saved", "t.user_id = {me}"),
    "notifications_preference": Held("What you want to be told", "t.user_id = {me}"),
    "notifications_quiethours": Held("When you want to be left alone", "t.user_id = {me}"),
    "orders_delivery": Held("Deliveries of your orders", "t.id IN ({deliveries})"),
    "orders_delivery_files": Held("Files of deliveries", "t.delivery_id IN ({deliveries})"),
    "orders_dispute": Held("Disputes about your orders", "t.id IN ({disputes})", without="client_key"),
    "orders_evidence": Held("What was put forward in disputes", "t.dispute_id IN ({disputes})"),
    "orders_evidence_files": Held(
        "Files put forward in disputes", "t.evidence_id IN (SELECT e.id FROM orders_evidence e WHERE e.dispute_id IN ({disputes}))"
    ),
    "orders_nudge": Held(
        "Reminders of orders to you", "t.recipient_id = {me}", only="id order_id recipient_id kind due_at seen_at status created_at"
    ),
    "orders_offer": Held("Offers that you made or got", "t.client_id = {me} OR t.builder_id IN ({shop})", without="client_key"),
    "orders_order": Held("Your orders, as client and as builder", "t.id IN ({orders})", without="client_key"),
    "orders_parting": Held("Proposals to end your orders", "t.order_id IN ({orders})", without="client_key"),
    "orders_requirement": Held("Questions and answers of your orders", "t.id IN ({requirements})"),
    "orders_requirement_files": Held("Files of answers", "t.requirement_id IN ({requirements})"),
    "orders_review": Held("Reviews that you wrote, and what is shown of you", "t.author_id = {me} OR t.about_id = {me} AND t.shown_at <= now()"),
    "orders_reviewreport": Held("Reviews that you reported", "t.reporter_id = {me}"),
    "orders_revision": Held("Revisions asked for", "t.order_id IN ({orders})"),
    "orders_suggestion": Held("Offers that we suggested to you", "t.builder_id IN ({shop})"),
    "payments_bankaccount": Held("Your bank account", "t.user_id = {me}"),
    "payments_compensation": Held(
        "Money given back after it had left escrow",
        "t.client_id = {me} OR t.builder_id = {me}",
        only="id purpose subject_id client_id builder_id basis amount fee from_builder created_at",
    ),
    "payments_credit": Held("Your credits", "t.user_id = {me}", without="notes issued_by_id source_id"),
    "payments_creditentry": Held("What became of your credits", "t.credit_id IN ({credits})", without="note actor_id key"),
    "payments_credituse": Held("What you paid with credits", "t.credit_id IN ({credits})"),
    "payments_escrowoperation": Held(
        "How the money of your deals lay in escrow",
        "t.client_id = {me} OR t.builder_id = {me} OR t.subject_id IN ({orders}) OR t.subject_id IN ({calls})",
        only="op_id kind purpose subject_id amount status backend created_at applied_at confirmed_at tx_hash",
    ),
    "payments_invoice": Held("Invoices and credit notes", "t.id IN ({invoices})", without="return_url"),
    "payments_invoiceline": Held("Lines of invoices", "t.invoice_id IN ({invoices})"),
    "payments_journalentry": Held(
        "Entries of your accounts in our books",
        "t.id IN (SELECT q.entry_id FROM payments_posting q WHERE q.account_id IN ({accounts}))",
        without="key",
    ),
    "payments_ledgeraccount": Held("Your accounts in our books", "t.owner_id = {me}"),
    "payments_payment": Held("Your payments", "t.id IN ({payments})", without="pay_url"),
    "payments_payoutaddress": Held("The wallet that you are paid to", "t.user_id = {me}"),
    "payments_payouthold": Held("When your withdrawals were held", "t.user_id = {me}", only="id user_id withdrawal_id made_at until ended_at"),
    "payments_posting": Held("Postings of your accounts in our books", "t.account_id IN ({accounts})"),
    "payments_refund": Held("Money that went back to you", "t.payment_id IN ({payments})", without="said dedupe_key error"),
    "payments_walletpayment": Held("The wallets that you paid from", "t.payment_id IN ({payments})", without="signature nonce treasury token"),
    "payments_chaintransfer": Held("Transfers on the chain that paid for you", "t.payment_id IN ({payments})"),
    "payments_withdrawal": Held("Your withdrawals", "t.user_id = {me}", without="client_key"),
    "support_plan": Held(
        "What support has done, or means to do, for you",
        "t.target_user_id = {me}",
        only="id number kind status amount created_at executed_at target_user_id",
    ),
    "support_supportaction": Held(
        "What support did about you", "t.target_user_id = {me}", only="id number action_type target_user_id order_id amount success created_at"
    ),
    "support_threadopening": Held("When support opened a conversation of yours", "t.conversation_id IN ({talks})"),
    "support_viewedpage": Held(
        "Pages of yours that support looked at",
        "t.viewing_id IN (SELECT v.id FROM support_viewing v WHERE v.subject_id = {me})",
        only="id viewing_id number path seen_at",
    ),
    "webhooks_webhookattempt": Held(
        "How posting to your addresses went",
        "t.delivery_id IN (SELECT w.id FROM webhooks_webhookdelivery w WHERE w.endpoint_id IN ({endpoints}))",
    ),
    "webhooks_webhookdelivery": Held("What is posted to your addresses", "t.endpoint_id IN ({endpoints})"),
    "webhooks_webhookendpoint": Held("Addresses to which we post your events", "t.user_id = {me}", without="secret client_key"),
    "support_viewing": Held(
        "When support looked at your pages", "t.subject_id = {me}", only="id number subject_id agent_id reason started_at expires_at ended_at"
    ),
}
GENERAL, PROOF, INQUIRY, SECRET, QUEUE, MACHINE, PLAY, STAFF = (
    "the same for everybody, and about nobody",
    "proves that the log is whole; it holds hashes and no facts about people",
    "inquiries against abuse, which would fail if whoever they are about could read them",
    "lets somebody in, and says nothing about anybody",
    "work that waits, by ids of what is handed over elsewhere",
    "how the site works with the chain; what it did for a person stands in the tables that are handed over",
    "plays the outside world in development, and holds no people",
    "how staff work; what they did about a person is handed over",
)
LEFT = {
    "account_emailconfirmation": SECRET,
    "accounts_apiallowance": "how much was asked of us in the last minutes",
    "catalog_visit": "how many look at services today, by numbers that name nobody",
    "audit_anchor": PROOF,
    "audit_check": PROOF,
    "audit_export": PROOF,
    "audit_find": "a copy of the audit log to search it by",
    "audit_find_mark": PROOF,
    "audit_leaves": PROOF,
    "audit_move": PROOF,
    "audit_seal": PROOF,
    "auth_group": GENERAL,
    "auth_group_permissions": GENERAL,
    "auth_permission": GENERAL,
    "cache": "forgotten within the hour",
    "catalog_category": GENERAL,
    "catalog_listing": "your services again, as the search reads them",
    "catalog_synonym": GENERAL,
    "catalog_term": GENERAL,
    "consultations_pushchannel": SECRET,
    "detector_mark": GENERAL,
    "detector_memory": INQUIRY,
    "detector_version": GENERAL,
    "django_content_type": GENERAL,
    "django_migrations": GENERAL,
    "django_q_ormq": QUEUE,
    "django_q_schedule": QUEUE,
    "django_q_task": QUEUE,
    "incident_alert": INQUIRY,
    "incident_event": INQUIRY,
    "incident_log": INQUIRY,
    "incident_suppression": INQUIRY,
    "job_pulse": MACHINE,
    "payments_chainanchor": MACHINE,
    "payments_chaincursor": MACHINE,
    "payments_chaindifference": MACHINE,
    "payments_chainnonce": MACHINE,
    "payments_chainsigner": MACHINE,
    "payments_chainstatus": MACHINE,
    "payments_escrowattempt": MACHINE,
    "payments_payoutbatch": STAFF,
    "payments_providerevent": "answers of payment providers as they came; what they say stands with the payments",
    "payments_sandboxcharge": PLAY,
    "payments_sandboxtransfer": PLAY,
    "payments_series": GENERAL,
}
STAFFS = "a member of staff in their work; the row is about somebody else"
SIDES = "one side of what is found by the other columns; printed by name"
# Columns that name a person and by which rows are not looked for.
BESIDE = {
    "amendments_amendment.answered_by_id": SIDES,
    "amendments_amendment.requested_by_id": SIDES,
    "consultations_absence.decided_by_id": STAFFS,
    "consultations_consultation.cancelled_by_id": SIDES,
    "consultations_proposal.made_by_id": SIDES,
    "messaging_attachment.owner_id": SIDES,
    "messaging_message.author_id": SIDES,
    "messaging_personreport.person_id": "whom somebody else reported: who reports is protected from whom they report",
    "orders_dispute.decided_by_id": STAFFS,
    "orders_dispute.opened_by_id": SIDES,
    "orders_evidence.author_id": SIDES,
    "orders_order.cancelled_by_id": SIDES,
    "orders_order.client_id": SIDES,
    "orders_parting.proposed_by_id": SIDES,
    "payments_compensation.made_by_id": STAFFS,
    "payments_credit.issued_by_id": STAFFS,
    "payments_creditentry.actor_id": STAFFS,
    "payments_invoice.payee_id": SIDES,
    "payments_invoice.payer_id": SIDES,
    "payments_payouthold.ended_by_id": STAFFS,
    "payments_payouthold.made_by_id": STAFFS,
    "support_plan.approver_id": STAFFS,
    "support_plan.requester_id": STAFFS,
    "support_supportaction.admin_id": STAFFS,
    "support_supportaction.approved_by_id": STAFFS,
    "support_threadopening.agent_id": STAFFS,
    "support_viewing.agent_id": STAFFS,
    "payments_payoutbatch.made_by_id": STAFFS,
}


def condition(text: str) -> str:
    """A condition, or a part of one, with what stands in braces written out."""
    while "{" in text:
        text = text.format_map(RELATIONS)
    return text
