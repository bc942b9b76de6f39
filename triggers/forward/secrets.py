"""A destination's settings with its secrets: sealed in the database, opened where something is sent."""

from typing import Any

import msgspec

from engagement.lib.seal import SealBroken, seal, unseal
from triggers.forward.kinds import read_kind
from triggers.forward.kinds.base import Kind
from triggers.models import Destination


class SettingsBroken(Exception):
    """A destination cannot be sent to as it is set up; the message says what to do."""


def open_kind(destination: Destination) -> Kind:
    """Return the kind with all its settings; raises SettingsBroken."""
    try:
        return read_kind(destination.kind, destination.settings | read_secrets(destination))
    except SealBroken:
        raise SettingsBroken(
            "Its secret cannot be read any more, since DJANGO_SECRET_KEY was changed: enter it again."
        ) from None
    except msgspec.ValidationError as error:
        raise SettingsBroken(f"Its settings are not complete: {error}") from None


def read_secrets(destination: Destination) -> dict[str, Any]:
    """Return a destination's secrets by name; raises SealBroken."""
    secrets: dict[str, Any] = msgspec.json.decode(unseal(destination.sealed)) if destination.sealed else {}
    return secrets


def write_secrets(destination: Destination, secrets: dict[str, str]) -> None:
    """Put secrets into a destination that is to be saved."""
    destination.sealed = seal(msgspec.json.encode(secrets).decode())
