"""Settings, read from the environment or `.env`. Each stands here once, with its meaning.

docs/settings.md is the same list for those who run the service.
"""

from __future__ import annotations

import hashlib
import logging
from decimal import Decimal
from pathlib import Path

from csp import constants as csp

from tradelog import databases, embedded, logs, looks, parts
from tradelog.api import description
from tradelog.environment import Environment

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_file(BASE_DIR / ".env")

# --- The service -------------------------------------------------------------

#: Refused by a system check (tradelog.E001) outside DEBUG; `make serve` writes a fresh one.
INSECURE_SECRET_KEY = "insecure-no-secret-key-was-set"
SECRET_KEY = env.str("SECRET_KEY", default=INSECURE_SECRET_KEY)
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
HOST = env.str("HOST", default="") or "127.0.0.1"
PORT = env.int("PORT", default=8000)
#: Worker processes, and threads in each. A thread waits on the database most of
#: its time, so there may be many more of them than cores.
WORKERS = env.int("WORKERS", default=2)
THREADS = env.int("THREADS", default=32)

#: The folder for what the service keeps on disk: the log, the embedded database.
TRADELOG_DATA = env.folder("TRADELOG_DATA", default="data", base=BASE_DIR)
#: Where `manage.py backup` puts its files.
BACKUP_DIR = BASE_DIR / (env.str("BACKUP_DIR", default="") or TRADELOG_DATA.parent / "backups")

# --- The front door ----------------------------------------------------------

#: `token`, `name:token` or `name:token:strategy1|strategy2`, comma-separated.
WEBHOOK_TOKENS: list[str] = env.list("WEBHOOK_TOKENS", default=[])
#: Requests from one address without a valid token, and those with one, counted apart.
WEBHOOK_RATE = env.str("WEBHOOK_RATE", default="60/m")
WEBHOOK_TOKEN_RATE: str = env.str("WEBHOOK_TOKEN_RATE", default="") or WEBHOOK_RATE
#: CIDRs that may post alerts; empty: any.
WEBHOOK_ALLOWED_IPS: list[str] = env.list("WEBHOOK_ALLOWED_IPS", default=[])
#: Whether people and TradingView reach the service by https, through a proxy.
BEHIND_TLS = env.bool("BEHIND_TLS", default=False)
#: CIDRs whose X-Forwarded-For and X-Forwarded-Proto are believed; a proxy with TLS runs
#: on this machine unless it is said otherwise.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[]) or (
    ["127.0.0.1", "::1"] if BEHIND_TLS else []
)
#: Bytes an alert may have.
WEBHOOK_MAX_BYTES = 64 * 1024

# --- The pipeline ------------------------------------------------------------

#: How long an exit waits for its entry.
PARK_SECONDS = env.int("PARK_SECONDS", default=60)
#: How far apart two like messages without a time may be and still be one alert.
DUPLICATE_SECONDS = env.int("DUPLICATE_SECONDS", default=60)
#: How far reported and calculated P&L may differ, in quote currency.
PNL_TOLERANCE: Decimal = env.get_value("PNL_TOLERANCE", Decimal, default=Decimal("0.01"))
#: How long a claim on a log entry holds once its process has died.
LEASE_SECONDS = env.float("LEASE_SECONDS", default=10)
#: How long an alert may take from the request to its answer, whatever hangs. TradingView
#: gives up after 3 seconds; the rest is for the way there and back.
ANSWER_SECONDS = env.float("ANSWER_SECONDS", default=2.3)
#: The main database is taken for away after this many failures in a row, and asked
#: again, by one thread, after this many seconds.
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=5)
BREAKER_RESET_SECONDS = env.float("BREAKER_RESET_SECONDS", default=2)

#: How many days settled log entries and rejected alerts are kept (`manage.py prune`).
RETENTION_DAYS = env.int("RETENTION_DAYS", default=90)

#: What the trail of alerts is hashed under (docs/trail.md); changed, it cannot be verified.
TRAIL_KEY = env.str("TRAIL_KEY", default="") or SECRET_KEY

# --- Metrics -----------------------------------------------------------------

#: What Prometheus shows at /metrics (`Authorization: Bearer …`); empty: nothing is asked for.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="").strip()
#: CIDRs that may read /metrics; empty: this machine alone, and with a token, any.
METRICS_ALLOWED_IPS: list[str] = env.list("METRICS_ALLOWED_IPS", default=[])
#: How many strategies have series of their own; the others are summed up.
METRICS_STRATEGIES = env.int("METRICS_STRATEGIES", default=100)

# --- The mailbox -------------------------------------------------------------

#: imaps://user:password@host/folder: where TradingView's alert mails are read from; empty: nowhere.
MAILBOX_URL = env.str("MAILBOX_URL", default="")
#: Whose mails are read.
MAILBOX_SENDER = env.str("MAILBOX_SENDER", default="noreply@tradingview.com")
#: Whether our own mail server must have found them signed by that sender's domain.
MAILBOX_CHECK_SENDER = env.bool("MAILBOX_CHECK_SENDER", default=True)
#: The name under which it writes what it found (RFC 8601): the first word of the header.
MAILBOX_AUTHSERV_ID = env.str("MAILBOX_AUTHSERV_ID", default="")
#: The addresses TradingView mails to.
MAILBOX_RECIPIENTS: list[str] = env.list("MAILBOX_RECIPIENTS", default=[])
#: The strategies that mails may bring alerts for; empty: all.
MAILBOX_STRATEGIES: list[str] = env.list("MAILBOX_STRATEGIES", default=[])
#: How long a mail waits for its webhook. TradingView sends that again for 30 seconds, and
#: waits 3 for each answer; and an exit waits for its entry no longer than PARK_SECONDS.
MAILBOX_GRACE_SECONDS = env.float("MAILBOX_GRACE_SECONDS", default=45)
#: How often it is looked for new mails.
MAILBOX_INTERVAL_SECONDS = env.float("MAILBOX_INTERVAL_SECONDS", default=10)
#: Older mails are left alone.
MAILBOX_MAX_DAYS = env.int("MAILBOX_MAX_DAYS", default=3)
#: Bytes a mail may have: TradingView's words and HTML come on top of the message.
MAILBOX_MAX_BYTES = 256 * 1024

# --- Alarms ------------------------------------------------------------------

#: Where alarms are told: Apprise URLs, comma-separated. They hold passwords.
ALERT_URLS = env.str("ALERT_URLS", default="")
#: How often the server looks; 0: it does not.
ALERT_EVERY_SECONDS = env.float("ALERT_EVERY_SECONDS", default=30)
#: An alarm that goes on is told again after so long; 0: never.
ALERT_REMINDER_HOURS = env.float("ALERT_REMINDER_HOURS", default=12)
#: Whether entries, exits and reversals are told; a strategy can say otherwise.
ALERT_TRADES = env.bool("ALERT_TRADES", default=False)
#: How far back alerts are judged.
ALERT_WINDOW_MINUTES = env.float("ALERT_WINDOW_MINUTES", default=60)
#: The share of a strategy's alerts, from 0 to 1, that fail or are rejected.
ALERT_FAILURE_RATE = env.float("ALERT_FAILURE_RATE", default=0.1)
#: Within which 95 % of alerts have had their effect.
ALERT_DELAY_SECONDS = env.float("ALERT_DELAY_SECONDS", default=10)
#: How long an alert may wait in the log, and how many may.
ALERT_WAITING_SECONDS = env.float("ALERT_WAITING_SECONDS", default=60)
ALERT_BACKLOG = env.int("ALERT_BACKLOG", default=100)
#: A strategy is silent after so many times its longest usual gap; 0: never.
ALERT_SILENCE_FACTOR = env.float("ALERT_SILENCE_FACTOR", default=1.5)
#: How often everything is reconciled; 0: never.
ALERT_RECONCILE_HOURS = env.float("ALERT_RECONCILE_HOURS", default=24)

# --- Databases ---------------------------------------------------------------

#: Where DATABASE_URL is not set, PostgreSQL runs in TRADELOG_DATA.
EMBEDDED_POSTGRES = not env.str("DATABASE_URL", default="")
DATABASES = {
    "default": databases.on_postgresql(
        embedded.Cluster(TRADELOG_DATA / "postgres").database
        if EMBEDDED_POSTGRES
        else env.database("DATABASE_URL"),
        threads=THREADS,
    ),
    "wal": databases.of_the_log(
        env.database("WAL_DATABASE_URL")
        if env.str("WAL_DATABASE_URL", default="")
        else databases.in_file(TRADELOG_DATA / "wal.sqlite3"),
        threads=THREADS,
        folder=TRADELOG_DATA,
    ),
}
DATABASE_ROUTERS = ["tradelog.router.LogRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Rate counters -----------------------------------------------------------

CACHE_URL = env.str("CACHE_URL", default="")
#: Where counts are kept unless CACHE_URL names a server.
COUNTERS_FILE = TRADELOG_DATA / "counters.lmdb"
CACHES = {
    "default": {
        **env.cache("CACHE_URL"),
        # An alert waits for its count no longer than this, twice; then it goes uncounted.
        "OPTIONS": {"socket_connect_timeout": 0.3, "socket_timeout": 0.3},
    }
    if CACHE_URL
    # Counts must hold across worker processes and with the main database down.
    else {
        "BACKEND": "tradelog.counters.SharedCounters",
        "LOCATION": str(COUNTERS_FILE),
    }
}
# As django-ratelimit has them by itself. It asks for each with every request, and Django
# looks long for what is not set.
RATELIMIT_ENABLE = True
RATELIMIT_USE_CACHE = "default"
RATELIMIT_CACHE_PREFIX = "rl:"
RATELIMIT_HASH_ALGORITHM = hashlib.sha256
SILENCED_SYSTEM_CHECKS = [
    # The library knows neither Django's own Redis backend (E003 does not name it, W001
    # does) nor ours; both count atomically, which is what the check is about.
    "django_ratelimit.W001",
    # HSTS for all names below ours, and in the browsers' own list: both reach beyond
    # this service, and are hard to take back.
    "security.W005",
    "security.W021",
]

# --- Browsers ----------------------------------------------------------------

SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_SSL_REDIRECT = BEHIND_TLS
# Who sends alerts follows no redirect, and who asks for the health asks the port itself.
SECURE_REDIRECT_EXEMPT = [r"^webhook(/|$)", r"^health/", r"^metrics"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if BEHIND_TLS else 0
if BEHIND_TLS:
    # Taken out of requests that come from no proxy of ours (tradelog.forwarded).
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_FAILURE_VIEW = "tradelog.handlers.form_refused"
FILE_UPLOAD_HANDLERS = [
    # Before those that keep a file, so that no stranger's is, and none larger than any page takes.
    "tradelog.uploads.BoundedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
#: No form has more than one.
DATA_UPLOAD_MAX_NUMBER_FILES = 1
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.SELF],
        "base-uri": [csp.NONE],
        "form-action": [csp.SELF],
        "frame-ancestors": [csp.NONE],
        "object-src": [csp.NONE],
    }
}

# --- Django ------------------------------------------------------------------

INSTALLED_APPS = parts.APPS
MIDDLEWARE = parts.MIDDLEWARE
TEMPLATES = parts.TEMPLATES
AUTH_PASSWORD_VALIDATORS = parts.PASSWORD_VALIDATORS

ROOT_URLCONF = "tradelog.urls"
WSGI_APPLICATION = "tradelog.wsgi.application"

#: What the API wants else is in tradelog/api/base.py.
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
    # How the API is described; asked by nothing but that.
    "DEFAULT_SCHEMA_CLASS": "tradelog.api.schema.ApiSchema",
}

SPECTACULAR_SETTINGS = description.OF_THE_API
UNFOLD = looks.OF_THE_ADMIN

LANGUAGE_CODE = "en-us"
# Else each page of the admin looks up the names of a hundred.
LANGUAGES = [("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
# Served from the installed packages: nothing to collect before the first start.
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "overview"

# --- Log lines ---------------------------------------------------------------

LOGGING = logs.configuration(
    #: The least severe lines that are written.
    level=env.one_of("LOG_LEVEL", logging.getLevelNamesMapping(), default="INFO"),
    #: `console` for people, `json` for machines: one object a line.
    lines=env.one_of("LOG_FORMAT", ("console", "json"), default="console"),
)
# What was answered is worth a line where something is wrong; pages and alerts that went
# well are not. Who asked is never looked up for a line: it would take the database.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_2XX_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_DEFAULT_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_STATUS_5XX_LOG_LEVEL = logging.INFO
DJANGO_STRUCTLOG_USER_ID_FIELD = None
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
