"""Settings of the installation. Everything that differs between machines comes from the environment.

Where a local installation runs (`make run`), what the environment does not say is read from its state folder.
"""

import os
from pathlib import Path
from typing import Any

from engagement import env
from engagement.csp import CONTENT_SECURITY_POLICY  # noqa: F401
from engagement.local.state import find_state_dir, keep_secret, load_services
from engagement.logs import configure_logs
from engagement.tracker import TRACKER_DIR, add_tracker_headers
from engagement.unfold import UNFOLD  # noqa: F401

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = find_state_dir()

for _name, _value in load_services().items():
    os.environ.setdefault(_name, _value)

LOCAL = env.read_flag("ENGAGEMENT_LOCAL")
DEBUG = env.read_flag("DEBUG")
PORT = env.read_int("PORT", 8000, least=1, most=65535)
PUBLIC_URL = env.read_text("PUBLIC_URL", f"http://127.0.0.1:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.read_list("ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
SECRET_KEY = env.read_text("DJANGO_SECRET_KEY") or (
    keep_secret(STATE_DIR / "secret-key", 50) if STATE_DIR.is_dir() else "not-for-production"
)
# Addresses that may not be written to are kept as hashes with this key: with another, all of them would be forgotten.
ADDRESS_HASH_KEY = env.read_text("ADDRESS_HASH_KEY", SECRET_KEY)

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "csp",
    "tracking",
    "triggers",
    "engagement",
]
MIDDLEWARE = [
    "engagement.health.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "tracking.api.hot_path.HotPathMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "engagement.csp.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "engagement.admin.two_factor.TwoFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "engagement.urls"
WSGI_APPLICATION = "engagement.wsgi.application"
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
    },
]

HAS_DATABASE = "DATABASE_URL" in os.environ
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.read_database("DATABASE_URL")
    if HAS_DATABASE
    else {"ENGINE": "django.db.backends.postgresql", "NAME": "no-database"}
}
if env.read_flag("DATABASE_POOL"):
    # Web threads come and go with requests; workers keep a connection for their life and need no pool.
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 8, "timeout": 5}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 600
# A connection from before the database was away is not handed out.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": env.read_cache("CACHE_URL")
    if "CACHE_URL" in os.environ
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# Nothing keeps results, so nothing has to be cleaned up.
CELERY_RESULT_EXPIRES = None
CELERY_BROKER_URL = env.read_broker("CELERY_BROKER_URL") if "CELERY_BROKER_URL" in os.environ else "memory://"
ALLOWED_IDS = env.read_list("ALLOWED_IDS")
RETENTION_DAYS = env.read_int("RETENTION_DAYS", 400, least=7, most=3660)

for _name, _value in (env.read_email("EMAIL_URL") if "EMAIL_URL" in os.environ else {}).items():
    globals()[_name] = _value
EMAIL_TIMEOUT = env.read_int("EMAIL_TIMEOUT", 20, least=1, most=600)
DEFAULT_FROM_EMAIL = env.read_text("DEFAULT_FROM_EMAIL", "Engagement <engagement@localhost>")
# Beside active staff, who may be sent a template's test mail.
TEST_RECIPIENTS = env.read_addresses("TEST_RECIPIENTS")
INBOX_DIR = STATE_DIR / "inbox"

# Somebody's address in a form may lead nowhere but to the open internet, and to these. A laptop is its own other side.
OUTBOUND_ALLOWED_NETWORKS = env.read_networks("OUTBOUND_ALLOWED_NETWORKS", ("127.0.0.0/8", "::1/128") if LOCAL else ())
# How many copies to destinations a process makes at once: each may wait for somebody else's server.
COPY_PASSES = env.read_int("COPY_PASSES", 2, least=1, most=64)

# How long a request's body may be under way, and a second more for each kilobyte that has come.
BODY_SECONDS = env.read_int("BODY_SECONDS", 10, least=1, most=600)

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.read_time_zone("TIME_ZONE", "UTC")
FORMAT_MODULE_PATH = ["engagement.formats"]

STATIC_URL = "static/"
STATIC_ROOT = Path(env.read_text("STATIC_ROOT", str(STATE_DIR / "static")))
WHITENOISE_USE_FINDERS = LOCAL or DEBUG
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ROOT = TRACKER_DIR
WHITENOISE_ADD_HEADERS_FUNCTION = add_tracker_headers

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "engagement.logins.find_address"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
LOGIN_URL = "/admin/login/"
# Everybody sets up a second factor; without it whoever wants to may.
REQUIRE_TWO_FACTOR = env.read_flag("REQUIRE_TWO_FACTOR")
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_REDIRECT_URL = "/admin/"

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = env.read_flag("SECURE_SSL_REDIRECT")
SECURE_HSTS_SECONDS = env.read_int("SECURE_HSTS_SECONDS", 0)
BEHIND_PROXY = env.read_flag("BEHIND_PROXY")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
# How many proxies of ours stand before the platform: each adds one address to X-Forwarded-For.
TRUSTED_PROXIES = env.read_int("TRUSTED_PROXIES", 1 if BEHIND_PROXY else 0, least=0, most=10)
X_FRAME_OPTIONS = "SAMEORIGIN"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
# A body may hold 1 MB; the door says so itself, in its own words, for what is a little more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_100_000

REST_FRAMEWORK = {
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "tracking.api.errors.answer_error",
    "DEFAULT_SCHEMA_CLASS": "tracking.api.auth.ScopedSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Engagement API",
    "DESCRIPTION": "Report what people do, and read back what was decided.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVERS": [{"url": PUBLIC_URL}],
    "TAGS": [{"name": name} for name in ("Report", "Read", "Privacy", "Webhooks", "Clients of other systems")],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "engagement.openapi.drop_slashes",
        "engagement.openapi.describe_dialects",
    ],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "description": "A source's write key or secret key."}
        }
    },
}

LOGGING_CONFIG = None
configure_logs(env.read_text("LOG_LEVEL", "INFO"))
