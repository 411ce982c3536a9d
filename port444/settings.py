"""Settings, read from the environment. Production is the default; PORT444_ENV=development or test relaxes what it must."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from django.utils.csp import CSP

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env("PORT444_VAR", default=str(BASE_DIR / "var")))

ENVIRONMENT = env("PORT444_ENV", default="production")
DEVELOPMENT = ENVIRONMENT in ("development", "test")
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="insecure-development-key-that-production-refuses" if DEVELOPMENT else "")
SITE_URL = env("SITE_URL", default="http://127.0.0.1:8444").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"] if DEVELOPMENT else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
COUNTRY_HEADER = env("COUNTRY_HEADER", default="")  # in which a trusted proxy names the caller's country, e.g. CF-IPCountry

INSTALLED_APPS = [
    "port444.kit",
    "auditlog",
    "port444.accounts",
    "port444.notifications",
    "port444.builders",
    "port444.catalog",
    "port444.favourites",
    "port444.messaging",
    "port444.payments",
    "port444.orders",
    "consultations",
    "amendments",
    "port444.away",
    "port444.webhooks",
    "port444.pages",
    "support.apps.SupportAdminConfig",
    "support",
    "port444.exports",
    "port444.demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.forms",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.contrib.sitemaps",
    "django_htmx",
    "ninja",
    "django_q",
    "allauth",
    "allauth.account",
    "allauth.mfa",
]

MIDDLEWARE = [
    "port444.kit.http.request_context",
    "port444.kit.metrics.measure",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "port444.accounts.middleware.device",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "port444.accounts.middleware.language",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "port444.accounts.middleware.signed_in",
    "port444.accounts.middleware.api",
    "port444.accounts.middleware.standing",
    "port444.accounts.middleware.second_factor",
    "port444.accounts.middleware.zone",
    "port444.kit.http.DomainErrors",
    "support.middleware.Viewing",
]

ROOT_URLCONF = "port444.urls"
WSGI_APPLICATION = "port444.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "port444.notifications.queries.chrome",
                "port444.messaging.queries.chrome",
                "port444.accounts.queries.chrome",
            ],
            "builtins": ["django.templatetags.i18n", "port444.kit.templatetags.ui"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# Data. DATABASE_URL logs in as the role that serves; migrations run with the owner's URL in its place (scripts/roles.sql).
DATABASES = {"default": env.db("DATABASE_URL", default="postgres://port444_app@/port444")}
DATABASES["default"].update(CONN_MAX_AGE=300, CONN_HEALTH_CHECKS=True, ENGINE="django.db.backends.postgresql")
DATABASES["default"].setdefault("OPTIONS", {}).update(application_name="port444")
DATABASES["default"]["TEST"] = {"NAME": env("PORT444_TEST_DB", default="test_port444")}
DATABASE_OWNER_URL = env("DATABASE_OWNER_URL", default="")
DATABASE_VIEWER_URL = env("DATABASE_VIEWER_URL", default="")
DATABASE_ROUTERS = ["support.viewer.guard.Router"]
if DATABASE_VIEWER_URL:  # the role that can only read, by which staff look through somebody's eyes
    DATABASES["viewer"] = env.db("DATABASE_VIEWER_URL")
    DATABASES["viewer"].update(CONN_MAX_AGE=300, CONN_HEALTH_CHECKS=True, ENGINE="django.db.backends.postgresql", TEST={"MIRROR": "default"})
    DATABASES["viewer"].setdefault("OPTIONS", {}).update(
        application_name="port444 viewer", options="-c search_path=viewing,public -c default_transaction_read_only=on"
    )
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "port444.kit.cache.InDatabase", "LOCATION": "cache"}}
if ENVIRONMENT == "test":
    CACHES = {"default": {"BACKEND": "port444.kit.cache.InMemory"}}

# Files
STORAGE_DIR = Path(env("PORT444_STORAGE", default=str(VAR_DIR / "storage")))
STORAGES = {
    "default": {"BACKEND": "port444.kit.storage.Storage", "OPTIONS": {"location": str(STORAGE_DIR)}},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEVELOPMENT
UPLOAD_MAX_BYTES = 25 * 2**20
UPLOAD_MAX_FILES = 10
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["port444.accounts.adapter.WithProfile"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "port444.accounts.passwords.NotCommon"},
]
if ENVIRONMENT == "test":
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "port444.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"signup": "port444.accounts.forms.SignupForm"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False  # mail scanners open links
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = False
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 3
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # to change an address, to which the link for a new password goes
PASSWORD_RESET_TIMEOUT = 3600  # seconds
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SITE_URL.startswith("https") else "http"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "port444"
MFA_ADAPTER = "port444.accounts.adapter.SecondFactorAdapter"
API_A_MINUTE = {"reads": env.int("API_READS_A_MINUTE", default=600), "writes": env.int("API_WRITES_A_MINUTE", default=120)}  # for one person
STAFF_SECOND_FACTOR = env.bool("STAFF_SECOND_FACTOR", default=True)
COOKIE_PREFIX = "" if DEVELOPMENT else "__Host-"  # of the names of cookies: set by this host alone, over https, for all of it
DEVICE_COOKIE = f"{COOKIE_PREFIX}device"
THEME_COOKIE = f"{COOKIE_PREFIX}theme"
ZONE_COOKIE = f"{COOKIE_PREFIX}zone"
LASTING_COOKIE: dict[str, Any] = {"max_age": 365 * 24 * 3600, "httponly": True, "samesite": "Lax", "secure": not DEVELOPMENT}
SESSION_ENGINE = "port444.accounts.sessions"
# Hours that a session lasts unused, and in all (docs/security.md). Staff see the affairs of everybody and sign in anew each day.
SESSION_HOURS = {"people": (14 * 24, 30 * 24), "staff": (1, 12)}
SESSION_COOKIE_AGE = SESSION_HOURS["people"][0] * 3600

# Security
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
SECURE = not DEVELOPMENT
SECURE_SSL_REDIRECT = SECURE
# A program of the API is refused: led on, it would send its token in the open for ever.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^api/"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PERMISSIONS_POLICY = "camera=(), display-capture=(), geolocation=(), hid=(), microphone=(), midi=(), payment=(), serial=(), usb=()"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}sessionid", f"{COOKIE_PREFIX}csrftoken"
MESSAGE_STORAGE = "port444.kit.said.Storage"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
VIEW_COOKIE = f"{COOKIE_PREFIX}view"  # of a viewing, beside the agent's own session
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS: list[str] = []

# Words and time
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]  # the console, the API, the audit log and commands speak the first alone
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = f"{COOKIE_PREFIX}language"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["port444.kit.formats"]

# Mail and SMS
MAIL_DOMAIN = env("MAIL_DOMAIN", default="port444.example")
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"port444 <hello@{MAIL_DOMAIN}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
MAIL_DIR = Path(env("PORT444_MAIL_DIR", default=str(VAR_DIR / "mail")))
_email = env.email("EMAIL_URL", default="smtp://127.0.0.1:25")
MAILERS = {
    "default": {
        "BACKEND": _email["EMAIL_BACKEND"],
        "OPTIONS": {
            "host": _email["EMAIL_HOST"],
            "port": _email["EMAIL_PORT"],
            "username": _email["EMAIL_HOST_USER"] or "",
            "password": _email["EMAIL_HOST_PASSWORD"] or "",
            "use_tls": _email.get("EMAIL_USE_TLS", False),
            "timeout": 10,
        },
    }
}
SMS_PROVIDER = env("SMS_PROVIDER", default="captured" if DEVELOPMENT else "none")  # captured, twilio, none
TWILIO_URL = env("TWILIO_URL", default="https://api.twilio.com")
TWILIO_ACCOUNT_SID = env("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env("TWILIO_AUTH_TOKEN", default="")
TWILIO_FROM = env("TWILIO_FROM", default="")

# Jobs
Q_TIMEOUT, Q_WORKERS = env.int("Q_TIMEOUT", default=60), env.int("Q_WORKERS", default=2)
Q_CLUSTER = {
    "name": "port444",
    "orm": "default",
    "workers": Q_WORKERS,
    "queue_limit": Q_WORKERS,
    "bulk": 1,
    "timeout": Q_TIMEOUT,
    "retry": env.int("Q_RETRY", default=Q_TIMEOUT * 2 + 30),
    "max_attempts": 5,
    "ack_failures": False,
    "catch_up": False,
    "save_limit": -1,
    "poll": 0.2,
    "label": "Queue",
    "sync": False,
}
HEARTBEAT_FILE = env("PORT444_HEARTBEAT_FILE", default=str(VAR_DIR / "heartbeat"))
SCHEDULES = {
    "amendments.jobs.expire": "* * * * *",
    "port444.away.jobs.lapse": "*/5 * * * *",
    "port444.away.jobs.remind": "* * * * *",
    "port444.away.jobs.welcome": "* * * * *",
    "port444.orders.jobs.auto_accept": "* * * * *",
    "port444.orders.jobs.cancel_unanswered": "* * * * *",
    "port444.orders.jobs.escalate_disputes": "* * * * *",
    "port444.orders.jobs.publish_reviews": "* * * * *",
    "port444.orders.jobs.lapse_partings": "* * * * *",
    "port444.orders.jobs.send_nudges": "*/5 * * * *",
    "port444.orders.jobs.suggest_offers": "*/10 * * * *",
    "port444.catalog.jobs.count_visits": "11 * * * *",
    "port444.catalog.jobs.forget_words": "57 3 * * *",
    "port444.catalog.jobs.rate_listings": "*/5 * * * *",
    "port444.catalog.jobs.refresh_points": "*/5 * * * *",
    "port444.catalog.jobs.refresh_services": "*/5 * * * *",
    "port444.messaging.jobs.make_previews": "*/5 * * * *",
    "port444.catalog.jobs.tell_found": "*/5 * * * *",
    "port444.kit.jobs.heartbeat": "* * * * *",
    "port444.messaging.jobs.count_answers": "*/5 * * * *",
    "port444.notifications.jobs.sweep": "* * * * *",
    "port444.payments.jobs.expire_credits": "*/5 * * * *",
    "port444.payments.jobs.expire_invoices": "* * * * *",
    "port444.payments.jobs.reconcile": "* * * * *",
    "port444.payments.jobs.send_waiting": "* * * * *",
    "port444.payments.jobs.end_holds": "*/5 * * * *",
    "port444.accounts.jobs.send_mails": "*/5 * * * *",
    "port444.accounts.jobs.forget": "17 3 * * *",
    "consultations.jobs.ask_who_came": "* * * * *",
    "consultations.jobs.complete_ended": "*/5 * * * *",
    "consultations.jobs.lapse_proposals": "* * * * *",
    "consultations.jobs.look_at_ended": "*/5 * * * *",
    "consultations.jobs.make_rooms": "* * * * *",
    "consultations.jobs.watch_accounts": "*/5 * * * *",
    "consultations.jobs.send_reminders": "* * * * *",
    "consultations.jobs.settle_absences": "*/5 * * * *",
    "consultations.jobs.sweep_calendars": "* * * * *",
    "consultations.jobs.sweep_channels": "*/5 * * * *",
    "port444.webhooks.jobs.send": "* * * * *",
    "port444.exports.jobs.tidy": "*/15 * * * *",
    "port444.webhooks.jobs.forget": "47 3 * * *",
    "support.jobs.alerts": "* * * * *",
    "support.jobs.digest": "7 6 * * *",
    "support.jobs.plans": "* * * * *",
    "support.jobs.sample": "23 5 * * *",
    "support.jobs.viewings": "* * * * *",
    "auditlog.jobs.detect": "*/5 * * * *",
    "auditlog.jobs.export": "37 2 * * *",
    "auditlog.jobs.forget_sightings": "27 3 * * *",
    "auditlog.jobs.partitions": "7 2 * * *",
    "auditlog.jobs.index": "* * * * *",
    "auditlog.jobs.seal": "* * * * *",
    "auditlog.jobs.verify_recent": "*/10 * * * *",
    "auditlog.jobs.verify_history": "37 3 * * *",
    "auditlog.jobs.witness": "* * * * *",
}

# Money
PAYMENT_PROVIDERS = env.list("PAYMENT_PROVIDERS", default=["sandbox"] if DEVELOPMENT else ["none"])  # sandbox, wallet, none; the first is the default
SANDBOX_SECRET = env("SANDBOX_SECRET", default="")  # signs the test wallet's callbacks; without one SECRET_KEY does
CLIENT_FEE_BPS = 550
BUILDER_FEE_BPS = 1000

# Withdrawals. What came out of escrow clears for some days first; new payout details rest for some hours before money goes there.
CLEARING_DAYS = env.int("CLEARING_DAYS", default=0 if ENVIRONMENT == "test" else 3)
PAYOUT_REST_HOURS = env.int("PAYOUT_REST_HOURS", default=0 if DEVELOPMENT else 24)
REAUTHENTICATE = env.bool("REAUTHENTICATE", default=ENVIRONMENT != "test")  # ask for the password again before payout details change
LEAST_WITHDRAWAL = {"wallet": Decimal(env("LEAST_TO_WALLET", default="10.00")), "bank": Decimal(env("LEAST_TO_BANK", default="25.00"))}
# A wallet on a chain gets its claim in full (docs/escrow.md): the fee of wallets is for other providers alone.
WITHDRAWAL_FEE = {"wallet": Decimal(env("FEE_TO_WALLET", default="0.50")), "bank": Decimal(env("FEE_TO_BANK", default="2.00"))}
MOST_WITHDRAWN_A_DAY = Decimal(env("MOST_WITHDRAWN_A_DAY", default="25000.00"))  # by one person in 24 hours
# Transfers to bank accounts are handed to the bank as a file; without the platform's own account the form offers wallets alone.
PAYOUT_CURRENCY = env("PAYOUT_CURRENCY", default="USD")
PAYOUT_DEBTOR = {
    "name": env("PAYOUT_DEBTOR_NAME", default="port444" if DEVELOPMENT else ""),
    "iban": env("PAYOUT_DEBTOR_IBAN", default="LU280019400644750000" if DEVELOPMENT else ""),
    "bic": env("PAYOUT_DEBTOR_BIC", default="BCEELULL" if DEVELOPMENT else ""),
}

# Escrow: in the ledger alone, or in the contract of a chain with the ledger following it (docs/escrow.md)
ESCROW_BACKEND = env("ESCROW_BACKEND", default="ledger")  # ledger, web3
CHAIN_RPC_URL = env("CHAIN_RPC_URL", default="")
CHAIN_AUDIT_RPC_URL = env("CHAIN_AUDIT_RPC_URL", default="") or CHAIN_RPC_URL  # another node to compare the books with
CHAIN_WALLET_RPC_URL = env("CHAIN_WALLET_RPC_URL", default="")  # a public node that wallets are told of when they do not know the chain
CHAIN_ID = env.int("CHAIN_ID", default=0)
CHAIN_NAME = env("CHAIN_NAME", default="")
CHAIN_EXPLORER_URL = env("CHAIN_EXPLORER_URL", default="")  # what a transaction's hash is appended to
ESCROW_ADDRESS = env("ESCROW_ADDRESS", default="")
USDC_ADDRESS = env("USDC_ADDRESS", default="")
USDC_DOMAIN_NAME = env("USDC_DOMAIN_NAME", default="USD Coin")  # name and version of what wallets sign for it (EIP-712)
USDC_DOMAIN_VERSION = env("USDC_DOMAIN_VERSION", default="2")
CHAIN_PLATFORM_ADDRESS = env("CHAIN_PLATFORM_ADDRESS", default="")  # gets the fees; the builder's side of who has no wallet
CHAIN_TREASURY_ADDRESS = env("CHAIN_TREASURY_ADDRESS", default="")  # the operator's address, where the key itself is not at hand
CHAIN_SIGNER = env("CHAIN_SIGNER", default="env")  # env: keys from the two variables below; kms: ids of keys in AWS KMS
CHAIN_OPERATOR_KEY = env("CHAIN_OPERATOR_KEY", default="")  # its address is also the treasury, from which escrow is funded
CHAIN_ARBITER_KEY = env("CHAIN_ARBITER_KEY", default="")
CHAIN_CONFIRMATIONS = env.int("CHAIN_CONFIRMATIONS", default=0)  # 0: what is usual for the chain
CHAIN_MAX_FEE_GWEI = env.int("CHAIN_MAX_FEE_GWEI", default=500)  # for a unit of gas; nothing is offered beyond it
CHAIN_LOW_FLOAT = Decimal(env("CHAIN_LOW_FLOAT", default="500.00"))  # below it the operator's USDC or allowance is called low
CHAIN_LOW_GAS = Decimal(env("CHAIN_LOW_GAS", default="0.02"))  # the same for the gas money of an account that signs
CHAIN_BUMP_SECONDS = env.int("CHAIN_BUMP_SECONDS", default=0)  # 0: what is usual for the chain
ESCROW_GRACE_DAYS = 90  # after the last day on which an order can end, before the client may take the money back alone

# Rules of time, in one place; pages read them from here
HOLD_MINUTES = 15
AMENDMENT_HOURS = 72  # an amendment that is not answered, or not paid, within this is off the table
EXTENSION_HOURS = 48  # the same for a builder's question for more time, which is answered in one press
PROPOSAL_HOURS = 48  # another time for a call that is not accepted within this is off the table
PAYMENT_MINUTES = 60
REVIEW_DAYS = 3
REVIEWS_BLIND_DAYS = 7  # after the end of an order, for which its reviews can be written, and are shown only once both sides wrote
REPLY_HOURS = 24  # for which a reply to a review can still be changed
PARTING_HOURS = 72  # a proposal to end an order by agreement that is not answered within this is off the table
DISPUTE_ANSWER_HOURS = 48  # after which support has a dispute that was not answered
DISPUTE_SETTLE_HOURS = 72  # and one that both sides did not settle after the answer
CREDIT_DAYS = 60  # after a call, for which its price counts towards an order
REQUIREMENTS_DAYS = 7
OFFER_HOURS = 48  # how long a custom offer stands unless its author says otherwise
OFFER_DAYS_AT_MOST = 30
SUGGESTED_DISCOUNT_PERCENT = 10  # of the offer that is suggested to a builder when a long talk has led to no order
SUGGESTION_REST_DAYS = 30  # in one conversation
REST_HOURS = 24  # a talk in which nothing was said for so long has come to rest
NUDGES_A_DAY = 3  # to one person, over all orders; what is beyond goes into one message
MARKET_DAYS = 180  # how far back prices are compared
MARKET_LEAST_BUILDERS = 20  # below it a comparison would show single people
LONG_AWAY_DAYS = 30  # beyond it the page asks whether that is meant
OBJECTION_HOURS = 48  # for which a builder may answer who objects to a moved date; silence means that it stays
EXIT_HOURS = 72  # for which a client may leave after a builder holds to a date that was moved for being away
REVISION_DAYS = 2  # a change request gives the builder at least this long
MESSAGES_A_MINUTE = env.int("MESSAGES_A_MINUTE", default=30)
CALL_NOTICE_HOURS = 4
CALL_HORIZON_DAYS = 60

# What a member of staff may give alone, in USDC: at once, in 30 days, and to one person in 30 days. Beyond it a second person approves.
SUPPORT_LIMITS = {
    "credit_issue": (Decimal("50.00"), Decimal("200.00"), Decimal("100.00")),
    "credit_void": (Decimal("50.00"), Decimal("200.00"), Decimal("100.00")),
    "refund_manual": (Decimal("100.00"), Decimal("500.00"), Decimal("250.00")),
}

# The audit log (docs/audit.md)
AUDIT_SIGNING_KEY = env("AUDIT_SIGNING_KEY", default="")  # 32 bytes in base64, the seed of an Ed25519 key; signs seals and manifests
AUDIT_PUBLIC_KEYS = env.list("AUDIT_PUBLIC_KEYS", default=[])  # the public keys, in base64, that signed before the one in use
AUDIT_COLD_URL = env("AUDIT_COLD_URL", default=(VAR_DIR / "cold").as_uri())  # file:///folder, s3://bucket/prefix or gs://bucket/prefix
AUDIT_S3_ENDPOINT = env("AUDIT_S3_ENDPOINT", default="")  # of an S3 server that is not Amazon's; keys and region as boto3 reads them
AUDIT_HOT_DAYS = env.int("AUDIT_HOT_DAYS", default=90)  # after which rows go into cold storage
AUDIT_RETAIN_DAYS = env.int("AUDIT_RETAIN_DAYS", default=2557)  # seven years, for which object lock keeps what lies there
AUDIT_CHAIN_HOURS = env.int("AUDIT_CHAIN_HOURS", default=0)  # how often the newest seal is written on the escrow's chain; 0: never
AUDIT_SEAL_ROWS = 65_536  # at most, under one seal

# Where incidents are told besides by e-mail
ALERT_SLACK_URL = env("ALERT_SLACK_URL", default="")  # an incoming webhook of Slack, or of what takes the same
ALERT_WEBHOOK_URL = env("ALERT_WEBHOOK_URL", default="")
ALERT_WEBHOOK_SECRETS = env.list("ALERT_WEBHOOK_SECRETS", default=[])  # each signs: two while one is exchanged for the other

# Calendars and meeting rooms: each is offered when its keys are set. The addresses change only for tests.
OUTBOUND_ALLOW_LOOPBACK = env.bool("OUTBOUND_ALLOW_LOOPBACK", default=DEVELOPMENT)  # addresses typed by people may lead to this machine
GOOGLE_CLIENT_ID = env("GOOGLE_CLIENT_ID", default="")
GOOGLE_CLIENT_SECRET = env("GOOGLE_CLIENT_SECRET", default="")
GOOGLE_AUTHORIZE_URL = env("GOOGLE_AUTHORIZE_URL", default="https://accounts.google.com/o/oauth2/v2/auth")
GOOGLE_TOKEN_URL = env("GOOGLE_TOKEN_URL", default="https://oauth2.googleapis.com/token")
GOOGLE_CALENDAR_URL = env("GOOGLE_CALENDAR_URL", default="https://www.googleapis.com/calendar/v3")
GOOGLE_MEET_URL = env("GOOGLE_MEET_URL", default="https://meet.googleapis.com")
MICROSOFT_CLIENT_ID = env("MICROSOFT_CLIENT_ID", default="")
MICROSOFT_CLIENT_SECRET = env("MICROSOFT_CLIENT_SECRET", default="")
MICROSOFT_LOGIN_URL = env("MICROSOFT_LOGIN_URL", default="https://login.microsoftonline.com/common/oauth2/v2.0")
MICROSOFT_GRAPH_URL = env("MICROSOFT_GRAPH_URL", default="https://graph.microsoft.com/v1.0")
CALCOM_URL = env("CALCOM_URL", default="https://api.cal.com")
ZOOM_ACCOUNT_ID = env("ZOOM_ACCOUNT_ID", default="")
ZOOM_CLIENT_ID = env("ZOOM_CLIENT_ID", default="")
ZOOM_CLIENT_SECRET = env("ZOOM_CLIENT_SECRET", default="")
ZOOM_WEBHOOK_SECRET = env("ZOOM_WEBHOOK_SECRET", default="")
ZOOM_HOSTS = env.list("ZOOM_HOSTS", default=[])  # users of the Zoom account who may host, one meeting at a time each
ZOOM_API_URL = env("ZOOM_API_URL", default="https://api.zoom.us/v2")
ZOOM_TOKEN_URL = env("ZOOM_TOKEN_URL", default="https://zoom.us/oauth/token")

# Watching over it (docs/operate.md)
METRICS_TOKEN = env("METRICS_TOKEN", default="")  # that Prometheus brings; without one there are no metrics
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
        "json": {"()": "port444.kit.logs.JsonLines"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line" if DEVELOPMENT else "json"}},
    "root": {"handlers": ["console"], "level": "INFO" if not DEVELOPMENT else "WARNING"},
    "loggers": {"django_q": {"level": "WARNING"}},  # what it says of each job we say ourselves, with the job's id
}
