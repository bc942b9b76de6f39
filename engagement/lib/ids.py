"""Identifiers computed from their cause.

Every id is a function of what caused it, so that doing a stage again writes the same id and the primary key says
"already done". Ids that belong to a moment are UUIDv7-shaped (RFC 9562, section 5.7: 48 bits of Unix milliseconds
first), so rows are ordered by time; the bits that RFC fills at random are filled from a hash of the cause.
Ids without a moment (profiles) are UUIDv8-shaped (section 5.8).
"""

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from uuid import UUID, SafeUUID

import msgspec

LANES = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_V7_MASK = ~((0xF << 76) | (0x3 << 62)) & ((1 << 80) - 1)
_V7_BITS = (0x7 << 76) | (0x2 << 62)
_V8_MASK = ~((0xF << 76) | (0x3 << 62)) & ((1 << 128) - 1)
_V8_BITS = (0x8 << 76) | (0x2 << 62)
# Most parts of a cause are ids and names, which are no longer than this.
_LENGTHS = [f"{length}:" for length in range(257)]
_SET_INT, _SET_SAFETY = vars(UUID)["int"].__set__, vars(UUID)["is_safe"].__set__


def compute_timed_id(moment: datetime, *cause: str) -> UUID:
    """Return the UUIDv7-shaped id of `cause` at `moment` (aware; cut to milliseconds).

    Equal arguments give an equal id, on every machine. The parts of a cause are separated by their lengths, so
    ("ab", "c") and ("a", "bc") differ.
    """
    milliseconds = (moment - _EPOCH) // _MILLISECOND
    return _make_uuid((milliseconds << 80) | (_hash(cause, 10) & _V7_MASK) | _V7_BITS)


def compute_id(*cause: str) -> UUID:
    """Return the UUIDv8-shaped id of a `cause` that belongs to no moment, such as a profile."""
    return _make_uuid((_hash(cause, 16) & _V8_MASK) | _V8_BITS)


def read_moment(identifier: UUID) -> datetime:
    """Return the moment (UTC, milliseconds) that a timed id carries."""
    return _EPOCH + timedelta(milliseconds=identifier.int >> 80)


def write_moment(moment: datetime | None) -> str:
    """Return a moment (aware) as a part of a cause: ISO 8601 in UTC, the same for every zone; "" for none."""
    # What `isoformat` of the moment in UTC returns, in a fifth of its time.
    return f"{msgspec.to_builtins(moment.astimezone(UTC))[:-1]}+00:00" if moment is not None else ""


def compute_boundary(moment: datetime) -> UUID:
    """Return the least possible timed id at `moment`: the bound of a range read or of a partition."""
    return UUID(int=((moment - _EPOCH) // _MILLISECOND) << 80)


def compute_lane(profile_id: UUID) -> int:
    """Return the lane, 0 to 63, in which everything about a profile is decided in order."""
    return profile_id.int & (LANES - 1)


def _hash(cause: tuple[str, ...], size: int) -> int:
    try:
        framed = "".join([_LENGTHS[len(part)] + part for part in cause])
    except IndexError:
        framed = "".join([f"{len(part)}:{part}" for part in cause])
    return int.from_bytes(blake2b(framed.encode("utf-8", "surrogatepass"), digest_size=size).digest(), "big")


def _make_uuid(number: int) -> UUID:
    """Return UUID(int=number). Its constructor's checks take longer than the hash; the slots are filled past them."""
    made = UUID.__new__(UUID)
    _SET_INT(made, number)
    _SET_SAFETY(made, SafeUUID.unknown)
    return made
