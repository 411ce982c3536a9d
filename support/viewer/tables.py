"""What the role of a viewing may read. A table stands in exactly one of the three lists; a test compares them with the models and with
what the database says.

Tables of `OPEN` are granted as they are. Those of `MASKED` are not: the role reads a view of the same name in a schema that its search
path names first, in which some columns are blank, and of which those of `OWN` have the rows of the person alone. Nothing else is granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connections, transaction

ROLE, SCHEMA, SERVES = "port444_viewer", "viewing", "port444_app"
HIDDEN_WORDS = "Hidden while support is looking."


SUBJECT = "nullif(current_setting('viewing.subject', true), '')::uuid"  # whom the viewing is of; the guard says it


def _own(column: str) -> str:
    """A column of people that is blank but in the person's own row."""
    return f"CASE WHEN id = {SUBJECT} THEN {column} ELSE '' END"


OPEN = frozenset(
    {
        "amendments_amendment",
        "away_duemove",
        "away_returnalert",
        "away_span",
        "builders_portfoliopicture",
        "builders_portfoliopiece",
        "catalog_category",
        "catalog_listing",
        "catalog_package",
        "catalog_pricepoint",
        "catalog_service",
        "catalog_serviceday",
        "catalog_visit",
        "catalog_synonym",
        "catalog_term",
        "consultations_absence",
        "consultations_attendance",
        "consultations_availabilityrule",
        "consultations_callsettings",
        "consultations_dayoff",
        "consultations_externalevent",
        "consultations_proposal",
        "consultations_reminder",
        "consultations_slotclaim",
        "django_content_type",
        "messaging_conversation",
        "messaging_firstanswer",
        "messaging_readmarker",
        "orders_delivery",
        "orders_delivery_files",
        "orders_dispute",
        "orders_evidence_files",
        "orders_nudge",
        "orders_offer",
        "orders_order",
        "orders_parting",
        "orders_requirement",
        "orders_requirement_files",
        "orders_revision",
        "orders_suggestion",
        "payments_credituse",
        "payments_escrowoperation",
        "payments_invoice",
        "payments_invoiceline",
        "payments_refund",
    }
)
MASKED: dict[str, dict[str, str]] = {
    "accounts_user": {"password": "''", "email": _own("email"), "phone": _own("phone")},
    "builders_builder": {"meeting_url": "''", "consultation_calendar_url": "''"},
    "consultations_calendarevent": {"external_id": "''", "etag": "''"},
    "consultations_calendarlink": {"account": "''", "credentials": "NULL", "hook_secret": "''"},
    "consultations_consultation": {"meeting_url": "''", "meeting_id": "''", "builder_notes": "''"},
    "consultations_linkedcalendar": {"external_id": "''", "sync_token": "''"},
    "consultations_meetingroom": {"url": "''", "external_id": "''", "host": "''"},
    "favourites_favourite": {},
    "messaging_attachment": {"file": "''", "name": "'hidden'", "preview": "'none'"},
    "messaging_message": {"body": f"CASE WHEN kind = 'notice' OR body = '' THEN body ELSE '{HIDDEN_WORDS}' END"},
    "messaging_personreport": {"reason": "''", "text": "''"},
    "messaging_report": {"reason": "''", "text": "''"},
    "orders_evidence": {"text": f"'{HIDDEN_WORDS}'"},
    "orders_review": {"private_note": "''"},
    "orders_reviewreport": {"reason": "''", "text": "''"},
    "notifications_notification": {"body": f"CASE WHEN kind LIKE 'message.%' AND body <> '' THEN '{HIDDEN_WORDS}' ELSE body END"},
    "catalog_savedsearch": {},
    "notifications_preference": {},
    "notifications_quiethours": {},
    "payments_bankaccount": {"details": "NULL", "masked": "''"},
    "payments_credit": {"notes": "''"},
    "payments_creditentry": {"note": "CASE WHEN step = 'voided' THEN note ELSE '' END"},
    "payments_journalentry": {"description": "''"},
    "payments_ledgeraccount": {},
    "payments_payoutaddress": {"address": "''"},
    "payments_posting": {},
    "payments_withdrawal": {"address": "''", "bank": "NULL", "bank_masked": "''", "external_id": "''"},
    "payments_payment": {"pay_url": "''", "external_id": "''"},
}
# Rows of these that are of others do not exist to the role.
_ACCOUNTS = f"SELECT id FROM public.payments_ledgeraccount WHERE owner_id = {SUBJECT}"
OWN = {
    "favourites_favourite": f"user_id = {SUBJECT}",
    "catalog_savedsearch": f"user_id = {SUBJECT}",
    "notifications_notification": f"user_id = {SUBJECT}",
    "notifications_preference": f"user_id = {SUBJECT}",
    "notifications_quiethours": f"user_id = {SUBJECT}",
    # Whoever is looked at has not read yet what the other side wrote.
    "orders_review": f"author_id = {SUBJECT} OR shown_at <= now()",
    "payments_bankaccount": f"user_id = {SUBJECT}",
    "payments_credit": f"user_id = {SUBJECT}",
    "payments_creditentry": f"credit_id IN (SELECT id FROM public.payments_credit WHERE user_id = {SUBJECT})",
    "payments_journalentry": f"id IN (SELECT entry_id FROM public.payments_posting WHERE account_id IN ({_ACCOUNTS}))",
    "payments_ledgeraccount": f"owner_id = {SUBJECT}",
    "payments_payoutaddress": f"user_id = {SUBJECT}",
    "payments_posting": f"account_id IN ({_ACCOUNTS})",
    "payments_withdrawal": f"user_id = {SUBJECT}",
}
ACCESS, BOOKS, CHAIN, PAYOUT, QUEUE, STAFF, LOG, SECRET = (
    "who may do what, and what lets somebody in",
    "the books; pages show sums of their own tables",
    "how the site works with the chain",
    "where money is paid out to",
    "work that waits",
    "what staff did",
    "the log and its proof",
    "secrets of other programs",
)
CLOSED = {
    "account_emailaddress": ACCESS,
    "account_emailconfirmation": ACCESS,
    "accounts_answeredcall": ACCESS,
    "exports_closing": ACCESS,
    "exports_personalcopy": ACCESS,
    "accounts_apiallowance": ACCESS,
    "accounts_apitoken": ACCESS,
    "accounts_queuedmail": ACCESS,
    "accounts_session": ACCESS,
    "accounts_user_groups": ACCESS,
    "accounts_user_user_permissions": ACCESS,
    "accounts_userdevice": ACCESS,
    "audit_anchor": LOG,
    "audit_check": LOG,
    "audit_export": LOG,
    "audit_leaves": LOG,
    "audit_log": LOG,
    "audit_move": LOG,
    "audit_seal": LOG,
    "auth_group": ACCESS,
    "auth_group_permissions": ACCESS,
    "auth_permission": ACCESS,
    "catalog_pricesample": BOOKS,
    "consultations_calendarfeed": SECRET,
    "consultations_pushchannel": SECRET,
    "detector_mark": STAFF,
    "detector_memory": STAFF,
    "detector_version": STAFF,
    "django_admin_log": STAFF,
    "django_q_ormq": QUEUE,
    "django_q_schedule": QUEUE,
    "django_q_task": QUEUE,
    "incident_alert": STAFF,
    "incident_event": STAFF,
    "incident_log": STAFF,
    "incident_suppression": STAFF,
    "mfa_authenticator": ACCESS,
    "notifications_delivery": QUEUE,
    "payments_chainanchor": CHAIN,
    "payments_chaincursor": CHAIN,
    "payments_chaindifference": CHAIN,
    "payments_chainnonce": CHAIN,
    "payments_chainsigner": CHAIN,
    "payments_chainstatus": CHAIN,
    "payments_chaintransfer": CHAIN,
    "payments_compensation": BOOKS,
    "payments_escrowattempt": CHAIN,
    "payments_payoutbatch": PAYOUT,
    "payments_payouthold": PAYOUT,
    "payments_providerevent": SECRET,
    "payments_sandboxcharge": BOOKS,
    "payments_sandboxtransfer": BOOKS,
    "payments_series": BOOKS,
    "payments_walletpayment": PAYOUT,
    "support_plan": STAFF,
    "support_supportaction": STAFF,
    "support_threadopening": STAFF,
    "support_viewedpage": STAFF,
    "support_viewing": STAFF,
    "webhooks_webhookattempt": QUEUE,
    "webhooks_webhookdelivery": QUEUE,
    "webhooks_webhookendpoint": SECRET,
}
COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# Whether there is somebody to grant to, and whether whoever migrates may.
CAN_GRANT = """
SELECT (SELECT count(*) FROM pg_roles WHERE rolname IN (%s, %s)) = 2 AND coalesce(
  (SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('public.accounts_user')), false)
"""
# Functions that act with their owner's rights are a way around every grant, and everybody may call what nobody took from them.
POWERFUL = """
SELECT oid::regprocedure::text FROM pg_proc
WHERE prosecdef AND pronamespace = 'public'::regnamespace AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))
"""


# A database that was not made with scripts/roles.sql lets everybody make temporary tables.
NOTHING_OF_ITS_OWN = """
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$
"""


def make_way(sender: Any, using: str, plan: Any = (), **signal: Any) -> None:
    """Before migrations: columns that a view shows could not be changed, so the views go until all is migrated."""
    if plan:
        with connections[using].cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


def grant(sender: Any, using: str, **signal: Any) -> None:
    """After migrations: the role may read what stands above, as the tables are now, and nothing else."""
    with connections[using].cursor() as cursor:
        cursor.execute(CAN_GRANT, [ROLE, SERVES])
        if not (row := cursor.fetchone()) or not row[0]:
            return
        masked = {}
        for table in MASKED:
            cursor.execute(COLUMNS, [f"public.{table}"])
            masked[table] = dict(cursor.fetchall())
        cursor.execute(POWERFUL)
        powerful = [name for (name,) in cursor.fetchall()]
        with transaction.atomic(using=using):
            for statement in statements(masked, powerful):
                cursor.execute(statement)


def statements(masked: Mapping[str, Mapping[str, str]], powerful: Sequence[str]) -> Iterator[str]:
    """The grants, for masked tables with these columns and types, and these functions that everybody may call. May be run again at any time."""
    for function in powerful:
        yield f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC, {ROLE}"
        yield f"GRANT EXECUTE ON FUNCTION {function} TO {SERVES}"
    yield NOTHING_OF_ITS_OWN
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}"
    yield f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"
    yield f"CREATE SCHEMA {SCHEMA}"
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE}"
    for table, columns in sorted(masked.items()):
        masks = MASKED[table]
        shown = ", ".join(f'({masks[name]})::{kind} AS "{name}"' if name in masks else f'"{name}"' for name, kind in columns.items())
        rows, barrier = (f" WHERE {OWN[table]}", " WITH (security_barrier)") if table in OWN else ("", "")
        yield f"CREATE VIEW {SCHEMA}.{table}{barrier} AS SELECT {shown} FROM public.{table}{rows}"
        yield f"GRANT SELECT ON {SCHEMA}.{table} TO {ROLE}"
    yield from (f"GRANT SELECT ON public.{table} TO {ROLE}" for table in sorted(OPEN))
