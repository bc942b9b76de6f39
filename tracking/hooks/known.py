"""The hooks as the door sees them. A process keeps a copy and reads it anew after a second, when a hook is used."""

import threading
import time
from datetime import datetime

import msgspec
import structlog

from engagement.lib.seal import SealBroken, unseal
from tracking.models import Hook
from tracking.registry import FRESH_SECONDS
from tracking.wire.hooks.mapping import CompiledMapping, Mapping, MappingError, compile_mapping
from tracking.wire.hooks.signatures import STYLES, Style


class KnownHook(msgspec.Struct, frozen=True, kw_only=True):
    """A hook that can be used. `former` is the secret before the last rotation, valid until `former_until`."""

    id: int
    source_id: int
    name: str
    style: Style
    header: str
    secret: str
    former: str
    former_until: datetime | None
    compiled: CompiledMapping
    is_enabled: bool

    def list_secrets(self, now: datetime) -> list[str]:
        """Return the secrets that are valid."""
        is_former_valid = self.former and self.former_until is not None and now < self.former_until
        return [secret for secret in (self.secret, self.former if is_former_valid else "") if secret]

    @property
    def space(self) -> str:
        """What sets its message ids apart; it stays when the hook is renamed."""
        return f"hook-{self.id}"


class HookUnreadable(Exception):
    """What is stored of a hook cannot be understood."""


log = structlog.get_logger()
_lock = threading.Lock()
_current: dict[tuple[int, str], KnownHook | None] | None = None
_read_at = 0.0


def find_hook(source_id: int, name: str) -> KnownHook | None:
    """Return the hook at an address, None for none, as it was at most a second ago. Raises HookUnreadable."""
    global _current, _read_at
    current = _current
    if current is None or time.monotonic() - _read_at >= FRESH_SECONDS:
        with _lock:
            if _current is None or time.monotonic() - _read_at >= FRESH_SECONDS:
                _current, _read_at = load_hooks(), time.monotonic()
            current = _current
    hook = current.get((source_id, name))
    if hook is None and (source_id, name) in current:
        raise HookUnreadable
    return hook


def forget_hooks() -> None:
    """Make the next use read anew: after a change in this process."""
    global _current
    _current = None


def load_hooks() -> dict[tuple[int, str], KnownHook | None]:
    """Read all hooks. One whose source is disabled takes nothing either; one that cannot be understood is None."""
    rows = Hook.objects.select_related("source")
    return {(row.source_id, row.name): _describe_if_readable(row) for row in rows}


def _describe_if_readable(row: Hook) -> KnownHook | None:
    try:
        return describe_hook(row)
    except (KeyError, msgspec.ValidationError) as problem:
        # An unknown style, or a mapping of another version: it must not shut the others out.
        log.error("hook_unreadable", hook_id=row.pk, problem=repr(problem))
        return None


def describe_hook(row: Hook) -> KnownHook:
    """Return a hook as it can be used."""
    compiled, _ = load_mapping(row)
    return KnownHook(
        id=row.pk,
        source_id=row.source_id,
        name=row.name,
        style=STYLES[row.style],
        header=row.header,
        secret=read_secret(row.secret),
        former=read_secret(row.previous_secret),
        former_until=row.previous_until,
        compiled=compiled,
        is_enabled=row.is_enabled and row.source.is_enabled,
    )


def load_mapping(row: Hook) -> tuple[CompiledMapping, list[MappingError]]:
    """Return a hook's mapping, as far as it can be understood, and what is wrong with it."""
    return compile_mapping(msgspec.convert(row.mapping, Mapping))


def read_secret(sealed: str) -> str:
    """Return a secret; "" where there is none, or where it was sealed with a key that is not known any more."""
    try:
        return unseal(sealed) if sealed else ""
    except SealBroken:
        return ""
