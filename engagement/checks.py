"""System checks: what would be unsafe or would not hold in production, each with what to do."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connection

SERVER = "server"
LEAST_LOCKS = 256


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    """Refuse what may only be on a laptop."""
    found: list[CheckMessage] = []
    if settings.LOCAL:
        hint = "Unset ENGAGEMENT_LOCAL: it opens /demo/ and /inbox/."
        found.append(Error("The platform runs in local mode.", hint=hint, id="engagement.E001"))
    if settings.SECRET_KEY == "not-for-production" or len(settings.SECRET_KEY) < 32:
        hint = "Set DJANGO_SECRET_KEY to at least 50 random characters, and keep it."
        found.append(Error("The secret key is not secret.", hint=hint, id="engagement.E002"))
    if settings.ADDRESS_HASH_KEY == settings.SECRET_KEY or len(settings.ADDRESS_HASH_KEY) < 32:
        hint = (
            "Set ADDRESS_HASH_KEY to at least 50 random characters, once, and never change it. Where addresses are "
            "suppressed already: set it to the present DJANGO_SECRET_KEY, and give that a new value."
        )
        says = "Changing the secret key would forget who has unsubscribed."
        found.append(Error(says, hint=hint, id="engagement.E010"))
    if "*" in settings.ALLOWED_HOSTS:
        hint = "Set ALLOWED_HOSTS to the names under which the platform is reached."
        found.append(Error("Every host name is allowed.", hint=hint, id="engagement.E003"))
    if not settings.PUBLIC_URL.startswith("https://"):
        hint = "Set PUBLIC_URL to the https:// address that people and apps use."
        found.append(Error("Links and cookies would go over plain HTTP.", hint=hint, id="engagement.E004"))
    if settings.CELERY_BROKER_URL.startswith("memory://"):
        hint = "Set CELERY_BROKER_URL to Redis or RabbitMQ."
        found.append(Error("There is no broker.", hint=hint, id="engagement.E005"))
    if "locmem" in settings.CACHES["default"]["BACKEND"]:
        hint = "Set CACHE_URL to Redis or Valkey: heartbeats and nudges are shared through it."
        found.append(Error("Each process has a cache of its own.", hint=hint, id="engagement.E006"))
    if not getattr(settings, "EMAIL_HOST", "") or settings.EMAIL_HOST == "localhost":
        hint = "Set EMAIL_URL, such as smtp+tls://user:password@host:587."
        found.append(checks.Warning("No mail server is set.", hint=hint, id="engagement.W001"))
    return found


@register(Tags.database)
def check_database(app_configs: Any, databases: Any = None, **_: Any) -> Sequence[CheckMessage]:
    """Look at the server before `migrate`, and with `check --database default`."""
    return check_server() if databases else []


@register(SERVER, deploy=True)
def check_database_for_deployment(app_configs: Any, databases: Any = None, **_: Any) -> Sequence[CheckMessage]:
    """Look at the server with `check --deploy`: Django leaves out checks of databases unless one is named."""
    if databases:
        return []
    try:
        return check_server()
    except DatabaseError as error:
        hint = "Set DATABASE_URL, and start PostgreSQL."
        return [Error(f"The database cannot be reached: {type(error).__name__}.", hint=hint, id="engagement.E011")]


def check_server() -> Sequence[CheckMessage]:
    """Look at what the log needs of the server."""
    found: list[CheckMessage] = []
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('max_locks_per_transaction')::int, current_setting('server_version_num')::int"
        )
        locks, version = cursor.fetchone()
    if locks < LEAST_LOCKS:
        hint = f"Set it to {LEAST_LOCKS} or more: reading the log locks each partition and its indexes."
        found.append(Error(f"max_locks_per_transaction is {locks}.", hint=hint, id="engagement.E007"))
    if version < 150000:
        found.append(Error("PostgreSQL is older than 15.", hint="Use PostgreSQL 15 or newer.", id="engagement.E008"))
    elif version < 170000:
        hint = (
            "statement_timeout and idle_in_transaction_session_timeout are used instead; 17 bounds a whole transaction."
        )
        found.append(
            checks.Warning("PostgreSQL before 17 has no transaction_timeout.", hint=hint, id="engagement.W002")
        )
    return found
