"""Settings, all from the environment (12-factor). docs/reference/settings.md lists every variable.

`bin/up` fills in what is missing for one machine: database, broker, keys. Nothing here has a default that would be
unsafe on a server: without DEBUG a missing secret stops the start.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from readiness import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent

# --- What this process is ---------------------------------------------------------------------------------------------

DEBUG = env.boolean("READINESS_DEBUG")
VERSION = "0.1.0"
DATA_DIR = Path(env.text("READINESS_DATA_DIR", str(BASE_DIR / ".data")))
BASE_URL = env.text("READINESS_BASE_URL", "http://localhost:8000").rstrip("/")
INSTANCE_NAME = env.text("READINESS_INSTANCE_NAME", "Readiness")

SECRET_KEY = env.text("SECRET_KEY", "only-for-development" if DEBUG else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it (or SECRET_KEY_FILE), or start with bin/up, which makes one."
    )
# Keys that encrypt what is stored (payloads, evidence, source credentials), newest first; older ones still decrypt.
ENCRYPTION_KEYS = env.listing("READINESS_ENCRYPTION_KEYS") or (
    ["ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcHJvZHVjdCE="] if DEBUG else []
)
if not ENCRYPTION_KEYS:
    raise ImproperlyConfigured("READINESS_ENCRYPTION_KEYS is not set: one or more 32-byte keys, base64, newest first.")

ALLOWED_HOSTS = env.listing("READINESS_ALLOWED_HOSTS", ("localhost", "127.0.0.1"))
CSRF_TRUSTED_ORIGINS = env.listing("READINESS_TRUSTED_ORIGINS", (BASE_URL,))
SECURE_COOKIES = BASE_URL.startswith("https://")

# Keys that sign the ledger's checkpoints, newest first, each 32 bytes in base64; unset, one is made in the data folder.
LEDGER_KEYS = [key.strip() for key in env.text("READINESS_LEDGER_KEY").split(",") if key.strip()]

# --- What it is made of -----------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "releases",
    "operations",
    "metrics",
    "systems",
    "accounts",
    "audit",
    "jobs",
    "web",
    "readiness",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "lucide",
]

MIDDLEWARE = [
    "web.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.SignInRequiredMiddleware",
    "accounts.middleware.SeenMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "web.middleware.UploadLimitMiddleware",
    "web.middleware.ProblemMiddleware",
]

ROOT_URLCONF = "readiness.urls"
WSGI_APPLICATION = "readiness.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "web.context.site",
                "audit.context.ledger",
            ],
        },
    },
]

# --- Where it keeps things --------------------------------------------------------------------------------------------

# The role of DATABASE_URL may do what the application does; migrations run as the owner (DATABASE_OWNER_URL).
DATABASES = {"default": environ.Env.db_url_config(env.text("DATABASE_URL", "postgres://localhost/readiness"))}
DATABASES["default"]["ENGINE"] = "web.postgresql"
DATABASES["default"]["OPTIONS"] = {
    **DATABASES["default"].get("OPTIONS", {}),
    "options": "-c statement_timeout=30000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000",
}
DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 5)  # for web.prepared; other queries send one text
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"]["CONN_MAX_AGE"] = env.number("READINESS_CONN_MAX_AGE", 60)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "web_cache",
        # Counts of wrong passwords are kept here. With the default of 300 rows an attacker pushes their own count out.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
    # What one process may go on believing for a moment, where asking the database each time would cost more.
    "near": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "near"},
}

# Spans that one ingest token may send in a minute; 0: as many as the machine takes.
INGEST_SPANS_PER_MINUTE = env.number("READINESS_INGEST_SPANS_PER_MINUTE", 0)
# Beyond this many spans, or seconds, of what waits to be sealed, no more is taken; 0: no limit.
INGEST_MAX_WAITING = env.number("READINESS_INGEST_MAX_WAITING", 2_000_000)
INGEST_MAX_LAG = env.number("READINESS_INGEST_MAX_LAG", 3600)
EVIDENCE_MAX_BYTES = env.number("READINESS_EVIDENCE_MAX_BYTES", 50 * 1024 * 1024)
# A form with files may have so much in all: the largest thing that any page takes, and the fields beside it.
UPLOAD_MAX_BYTES = max(EVIDENCE_MAX_BYTES, 64 * 1024 * 1024) + 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600

# --- Work in the background -------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 270
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
# Redelivery after a lost worker: the default scan takes 101 s, this one about ten.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    # Sending a message waits for an absent broker as little as can be (the default is six seconds): see jobs.broker.
    "max_retries": 1,
    "interval_start": 0,
}
CELERY_BEAT_SCHEDULE = {"tick": {"task": "jobs.tick", "schedule": timedelta(seconds=5), "options": {"expires": 5}}}
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # one entry needs no file to remember it
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Who may come in --------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "accounts.backends.SignInBackend",
    "accounts.backends.RoleBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True  # an invited person chooses a password and is in; a second factor is still asked
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("READINESS_TRUSTED_PROXIES", 0)  # X-Forwarded-For is believed of so many only
# Whoever may sign, verify or administer enrols a second factor before anything else. Off: for a show without phones.
REQUIRE_MFA = env.boolean("READINESS_REQUIRE_MFA", True)
MFA_ADAPTER = "accounts.adapter.MfaAdapter"
MFA_FORMS = {
    "authenticate": "accounts.mfa_forms.AuthenticateForm",
    "reauthenticate": "accounts.mfa_forms.ReauthenticateForm",
    "add_webauthn": "accounts.mfa_forms.AddPasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses come from the admin who invited
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"
# Off: it would accept every origin. http://localhost passes without it.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1
MFA_TOTP_ISSUER = INSTANCE_NAME
USERSESSIONS_TRACK_ACTIVITY = True  # by accounts.middleware.SeenMiddleware

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_HTTPONLY = True
SESSION_ENGINE = "accounts.sessions"
SESSION_COOKIE_AGE = 12 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31536000 if SECURE_COOKIES else 0
SECURE_SSL_REDIRECT = False
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # subdomains of our address are other people's
    "security.W008",  # the proxy that has the certificate redirects
    "security.W021",  # so is the browsers' preload list
]
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", "blob:"],
    "connect-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}

# --- API --------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api_auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "web.problems.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Readiness",
    "DESCRIPTION": "Release sign-off and audit for GenAI systems.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Several things have a kind and a state: what the schema calls each set of them.
    "ENUM_NAME_OVERRIDES": {
        "ComponentKind": "systems.kinds.Kind",
        "SourceKind": "metrics.models.Source.Kind",
        "ChannelKind": "operations.models.Channel.Kind",
        "DrillKind": "operations.models.Drill.Kind",
        "VersionState": "systems.models.Version.State",
        "ChannelState": "operations.models.Channel.State",
        "RunbookKind": "operations.models.runbooks.Runbook.Kind",
        "EnvironmentKind": "audit.models.environments.SideEnvironment.Kind",
        "ReviewKind": "operations.models.reviews.Review.Kind",
        "IncidentState": "operations.models.incidents.Incident.State",
        "BudgetState": ["ok", "alert", "exceeded"],
        "JudgedOutcome": ["pass", "fail", "inconclusive"],
        "ApproverRole": ["product", "platform"],
    },
}

# --- What people see --------------------------------------------------------------------------------------------------

FORM_RENDERER = "web.forms.Renderer"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "web.finders.WheelFinder",
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
if env.boolean("READINESS_MANIFEST_STATIC"):
    STATIC_ROOT = Path(env.text("READINESS_STATIC_ROOT", str(BASE_DIR / "staticfiles")))
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

# --- Mail and the way out ---------------------------------------------------------------------------------------------

# smtp://user:password@host:port, smtp+tls:// (STARTTLS), smtp+ssl://, consolemail:// or filemail:///folder
MAILERS = {"default": env.mailer("EMAIL_URL", "consolemail://")}
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("DEFAULT_FROM_EMAIL", "readiness@localhost")
# host:port or CIDR that may be fetched although it is not a public address (an internal Prometheus is normal).
EGRESS_ALLOW = env.listing("READINESS_EGRESS_ALLOW")
# Chat and pager services by name, as apprise writes their addresses. Only the operator sets them: they are secrets, and
# apprise goes wherever they point.
CHAT_TARGETS = env.named("READINESS_CHAT_TARGETS")
# Folders in which evaluation files may be read, and nothing outside of them.
EVALUATION_ROOTS = env.listing("READINESS_EVALUATION_ROOTS")
# Where release tickets live, and the token with which their bundle is announced there; without one, nothing is written.
GITHUB_URL = env.text("READINESS_GITHUB_URL", "https://github.com").rstrip("/")
GITHUB_TOKEN = env.text("READINESS_GITHUB_TOKEN")
GITLAB_URL = env.text("READINESS_GITLAB_URL", "https://gitlab.com").rstrip("/")
GITLAB_TOKEN = env.text("READINESS_GITLAB_TOKEN")
# Whoever scrapes /metrics sends it as a bearer token. Without one, only this machine may scrape.
METRICS_TOKEN = env.text("READINESS_METRICS_TOKEN")

# --- Logs -------------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.text("READINESS_LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # At INFO it writes whole addresses, and those of webhooks and sources may hold a key.
    "loggers": {"httpx": {"level": "WARNING"}},
}
