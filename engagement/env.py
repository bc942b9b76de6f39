"""Typed readers of the environment that refuse junk with a sentence about what is wanted."""

import ipaddress
import os
import re
import zoneinfo
from collections.abc import Callable, Sequence
from typing import Any

import environ
import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

_DATABASE_EXAMPLE = "the URL of a PostgreSQL database, such as postgresql://user:password@host:5432/name"
_DATABASE_KEYS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
# A server that vanished without a word (its machine, the network) is noticed within seconds; the URL may say otherwise.
_DATABASE_PATIENCE = {
    "connect_timeout": "3",
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "1",
    "keepalives_count": "5",
}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def read_text(name: str, default: str = "") -> str:
    """Return a variable as it is."""
    return os.environ.get(name, default)


def read_int(name: str, default: int, *, least: int = 0, most: int = 1_000_000_000) -> int:
    """Return a whole number between `least` and `most`."""
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    if not raw.lstrip("-").isdecimal() or not least <= int(raw) <= most:
        raise _refuse(name, raw, f"a whole number from {least} to {most}, such as {default}")
    return int(raw)


def read_flag(name: str, default: bool = False) -> bool:
    """Return yes or no."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() not in _TRUE | _FALSE:
        raise _refuse(name, raw, "yes or no (1, true, on / 0, false, off)")
    return raw.strip().lower() in _TRUE


def read_list(name: str, default: Sequence[str] = ()) -> list[str]:
    """Return what stands between commas."""
    raw = os.environ.get(name)
    return list(default) if raw is None else [part.strip() for part in raw.split(",") if part.strip()]


def read_addresses(name: str) -> list[str]:
    """Return mail addresses that stand between commas."""
    found = read_list(name)
    if not all(_ADDRESS.fullmatch(one) for one in found):
        raise _refuse(name, os.environ.get(name, ""), "mail addresses between commas, such as a@shop.example")
    return found


def read_networks(name: str, default: Sequence[str] = ()) -> list[Network]:
    """Return networks, such as 10.0.0.0/8, that stand between commas."""
    try:
        return [ipaddress.ip_network(part) for part in read_list(name, default)]
    except ValueError as error:
        raise _refuse(name, os.environ.get(name, ""), "networks between commas, such as 10.0.0.0/8,fd00::/8") from error


def read_time_zone(name: str, default: str) -> str:
    """Return the name of a time zone, such as Europe/Berlin."""
    raw = os.environ.get(name, default)
    if raw not in zoneinfo.available_timezones():
        raise _refuse(name, raw, "the name of a time zone, such as Europe/Berlin")
    return raw


def read_database(name: str) -> dict[str, Any]:
    """Return Django's settings of a PostgreSQL database, from a URL as libpq itself reads it."""
    raw = os.environ.get(name, "")
    try:
        given = conninfo_to_dict(raw)
    except psycopg.ProgrammingError as error:
        raise _refuse(name, _hide(raw), _DATABASE_EXAMPLE) from error
    if not raw.startswith(("postgresql://", "postgres://")) or not given.get("dbname"):
        raise _refuse(name, _hide(raw), _DATABASE_EXAMPLE)
    config: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql"}
    for key, libpq_key in _DATABASE_KEYS.items():
        config[key] = str(given.pop(libpq_key, "") or "")
    return config | {"OPTIONS": _DATABASE_PATIENCE | given}


def read_cache(name: str) -> dict[str, Any]:
    """Return Django's settings of a Redis or Valkey cache from a URL."""
    raw = os.environ.get(name, "")
    if not raw.startswith(("redis://", "rediss://", "unix://")):
        raise _refuse(name, _hide(raw), "the URL of Redis or Valkey, redis://host:6379/1 or unix:///path.sock?db=1")
    return {"BACKEND": "engagement.shared_cache.SharedCache", "LOCATION": raw}


def read_broker(name: str) -> str:
    """Return the broker's URL."""
    raw = os.environ.get(name, "")
    if not raw.startswith(("redis://", "rediss://", "redis+socket://", "amqp://", "amqps://", "memory://")):
        raise _refuse(name, _hide(raw), "the URL of Redis or RabbitMQ, redis://host:6379/0 or amqp://host//")
    return raw


def read_email(name: str) -> dict[str, Any]:
    """Return Django's EMAIL_* settings from a URL such as smtp+tls://user:password@host:587."""
    config = _read_url(name, "smtp+tls://user:password@host:587", environ.Env.email_url_config)
    return {key: value for key, value in config.items() if key.startswith("EMAIL_")}


def _read_url(name: str, example: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    raw = os.environ.get(name, "")
    try:
        config = parse(raw)
    except Exception as error:
        raise _refuse(name, _hide(raw), f"a URL, such as {example}") from error
    if not isinstance(config, dict):
        raise _refuse(name, _hide(raw), f"a URL, such as {example}")
    return config


def _refuse(name: str, raw: str, wanted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"The environment variable {name} must be {wanted}; it is {raw!r}.")


def _hide(url: str) -> str:
    """A URL without its password: errors end up in logs."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}:…{at}{place}" if at else url
