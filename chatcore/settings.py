"""All settings, read top to bottom. README.md and .env.example list what the environment may say."""

from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from dotenv import load_dotenv

from chatcore import embedded, env
from chatcore.security import secrets

BASE_DIR = Path(__file__).resolve().parent.parent
django_stubs_ext.monkeypatch()
load_dotenv(BASE_DIR / ".env")

# --- The place ---------------------------------------------------------------------------------------------
DATA_DIR = Path(env.text("CHATCORE_DATA", str(BASE_DIR / "data"))).expanduser().absolute()
DEBUG = env.flag("DEBUG")
HOST = env.text("HOST", "127.0.0.1")
PORT = env.integer("PORT", 8000)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://{'127.0.0.1' if HOST == '0.0.0.0' else HOST}:{PORT}").rstrip("/")  # noqa: S104
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
HTTPS = env.flag("HTTPS", default=PUBLIC_URL.startswith("https://"))

# --- Secrets -----------------------------------------------------------------------------------------------
_secrets = secrets.load(DATA_DIR)
SECRET_KEY = _secrets["SECRET_KEY"]
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
KEY_PEPPERS = {1: _secrets["KEY_PEPPER"]}
CREDENTIAL_KEYS = {1: _secrets["CREDENTIAL_KEY"]}

# --- Proxies in front, and how much one may ask for ------------------------------------------------------------
BEHIND_PROXY = env.flag("BEHIND_PROXY")
# Whose X-Forwarded-For is believed: addresses or networks.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES", "127.0.0.0/8,::1" if BEHIND_PROXY else "")
# Requests in a minute; of a conversation, messages from outside in five seconds. 0: no limit.
RATE_LIMIT_KEY = env.integer("RATE_LIMIT_KEY", 30_000)
RATE_LIMIT_WORKSPACE = env.integer("RATE_LIMIT_WORKSPACE", 60_000)
RATE_LIMIT_CONVERSATION = env.integer("RATE_LIMIT_CONVERSATION", 5)
RATE_LIMIT_ADDRESS = env.integer("RATE_LIMIT_ADDRESS", 120)

# --- Apps --------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "chatcore.admin_site.ChatcoreAdmin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.headless",
    "channels",
    "procrastinate.contrib.django",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "ninja",
    "django_htmx",
    "template_partials",
    "csp",
    "chatcore",
    "chatcore.security",
    "chatcore.accounts",
    "chatcore.llm",
    "chatcore.usage",
    "chatcore.realtime",
    "conversations",
    "external",
    "agents",
]

MIDDLEWARE = [
    "chatcore.problems.ProblemMiddleware",
    "chatcore.middleware.Security",
    "servestatic.middleware.ServeStaticMiddleware",
    "chatcore.middleware.ContentPolicy",
    "chatcore.middleware.Session",
    "chatcore.middleware.Locale",
    "chatcore.middleware.Common",
    "chatcore.middleware.Csrf",
    "chatcore.middleware.Authentication",
    "chatcore.middleware.Messages",
    "chatcore.middleware.Frames",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "chatcore.urls"
ASGI_APPLICATION = "chatcore.asgi.application"
APPEND_SLASH = True

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
            ],
        },
    }
]

# --- Postgres ----------------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL")
EMBEDDED_POSTGRES = not DATABASE_URL


def _database() -> dict[str, Any]:
    if EMBEDDED_POSTGRES:
        where: dict[str, Any] = embedded.connection_settings(DATA_DIR)
    else:
        try:
            where = dict(dj_database_url.parse(DATABASE_URL))
        except ValueError as error:
            raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
        if where.get("ENGINE") != "django.db.backends.postgresql":
            raise ImproperlyConfigured(
                "DATABASE_URL must start with postgresql:// (Chatcore runs on Postgres only)."
            )
    options = where.setdefault("OPTIONS", {})
    # A writer that idles in its transaction holds the event log's horizon for everybody: see realtime/cursors.py.
    options["options"] = "-c idle_in_transaction_session_timeout=10s -c lock_timeout=5s"
    # Statements of hot paths are planned once for a connection from their third time on: see prepared.py.
    options["prepare_threshold"] = 2
    # Requests that come in crowds wait their turn so long; a lost database is told after as long.
    options["pool"] = {"min_size": 1, "max_size": env.integer("DATABASE_POOL", 16), "timeout": 4}
    # A connection that the database has dropped meanwhile is exchanged before a request meets it.
    where |= {"CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 0}
    return where | {"TEST": {"NAME": "test_chatcore"}}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: the layer between processes and the shared cache ---------------------------------------------------
REDIS_URL = env.text("REDIS_URL")
REDIS_PREFIX = env.text("REDIS_PREFIX", "chatcore")
if REDIS_URL:
    CHANNEL_LAYERS: dict[str, Any] = {
        "default": {
            "BACKEND": "chatcore.realtime.layer.PubSubLayer",
            "CONFIG": {"hosts": [REDIS_URL], "prefix": REDIS_PREFIX},
        }
    }
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Sign-in -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
SIGN_UP = env.text("SIGN_UP", "closed")
ACCOUNT_ADAPTER = "chatcore.accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = env.text("EMAIL_VERIFICATION", "none")
ACCOUNT_SESSION_REMEMBER = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
HEADLESS_CLIENTS = ("app",)
HEADLESS_TOKEN_STRATEGY = "chatcore.accounts.tokens.TokenStrategy"  # noqa: S105
HEADLESS_JWT_ALGORITHM = "RS256"
HEADLESS_JWT_PRIVATE_KEY = _secrets["JWT_PRIVATE_KEY"]
HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED = True
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "chatcore.problems.csrf_failure"
EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")

# --- What browsers are told ----------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "worker-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"

# --- API ---------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["chatcore.accounts.drf.PrincipalAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["chatcore.accounts.drf.HasPrincipal"],
    "DEFAULT_PAGINATION_CLASS": "chatcore.pagination.KeysetPagination",
    "DEFAULT_PARSER_CLASSES": ["chatcore.problems.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "chatcore.problems.drf_exception_handler",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Chatcore",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Addresses from outside: see docs/outbound.md ---------------------------------------------------------------
OUTBOUND_ALLOW = env.words("OUTBOUND_ALLOW")

# --- Replies -------------------------------------------------------------------------------------------------
MAX_TEXT_LENGTH = env.integer("MAX_TEXT_LENGTH", 32_000)
ATTACHMENT_MAX_BYTES = env.integer("ATTACHMENT_MAX_BYTES", 20 * 1024 * 1024)
ATTACHMENTS_PER_MESSAGE = env.integer("ATTACHMENTS_PER_MESSAGE", 10)
ATTACHMENT_TYPES = env.words("ATTACHMENT_TYPES", "image/*,text/*,application/json,application/pdf")
REPLY_CONCURRENCY = env.integer("REPLY_CONCURRENCY", 200)
TITLE_MODEL = env.text("TITLE_MODEL")
MODEL_CONNECT_TIMEOUT = env.decimal("MODEL_CONNECT_TIMEOUT", 5)
MODEL_FIRST_TOKEN_TIMEOUT = env.decimal("MODEL_FIRST_TOKEN_TIMEOUT", 60)
MODEL_TOKEN_TIMEOUT = env.decimal("MODEL_TOKEN_TIMEOUT", 30)
MODEL_TOTAL_TIMEOUT = env.decimal("MODEL_TOTAL_TIMEOUT", 900)
MODEL_WAIT_TIMEOUT = env.decimal("MODEL_WAIT_TIMEOUT", 600)
MODEL_BREAKER_SECONDS = env.decimal("MODEL_BREAKER_SECONDS", 30)
MODEL_BREAKER_LONGEST = env.decimal("MODEL_BREAKER_LONGEST", 300)

# --- Webhooks ------------------------------------------------------------------------------------------------
WEBHOOK_CONCURRENCY = env.integer("WEBHOOK_CONCURRENCY", 200)

# --- Language, time, files -----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
# Where collectstatic puts them; without it they are served as they lie.
STATIC_ROOT = env.text("STATIC_ROOT") or None
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(DATA_DIR / "files")},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_USE_FINDERS = not STATIC_ROOT

# --- Logs ----------------------------------------------------------------------------------------------------
LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        **{name: {"level": "WARNING"} for name in ("procrastinate", "httpx", "asyncio", "daphne")},
        "django.request": {"level": "ERROR"},  # a client's mistake is the client's to read
    },
}
