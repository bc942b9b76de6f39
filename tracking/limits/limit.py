"""What is limited, by how much, and how a bucket fills again. Pure."""

import ipaddress
from enum import StrEnum
from functools import lru_cache

import msgspec

from engagement.lib.addresses import parse_address


class Subject(StrEnum):
    """Whose bucket it is."""

    SOURCE = "source"
    ADDRESS = "address"
    PERSON = "person"


class Limit(msgspec.Struct, frozen=True):
    """`rate` events a second in the long run, `burst` at once."""

    rate: float
    burst: float

    @property
    def chunk(self) -> float:
        """How much a process takes, or gives on credit, at a time: a tenth of the burst, half a second's at most.

        Whole events, so that nothing is left over; none where little is allowed.
        """
        return float(int(min(self.burst / 10, self.rate / 2)))


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a source; None where there is none."""

    source: Limit | None = None
    address: Limit | None = None
    person: Limit | None = None


class Charge(msgspec.Struct, frozen=True):
    """So many events on somebody's bucket. `key` names the bucket among those of the source."""

    subject: Subject
    source_id: int
    key: str
    limit: Limit
    cost: float


class Excess(msgspec.Struct, frozen=True):
    """Too much: whose bucket is empty, and the seconds until it would do."""

    subject: Subject
    wait: float


def make_limits(rates: dict[Subject, tuple[int, int]]) -> Limits | None:
    """Return the limits for (rate, burst) of each subject; a rate of 0 is none, and no limit at all is None."""
    made = {
        str(subject): Limit(float(rate), float(max(burst, rate))) for subject, (rate, burst) in rates.items() if rate
    }
    return Limits(**made) if made else None


@lru_cache(maxsize=4096)
def name_address(address: str) -> str | None:
    """Return whose bucket an address is: an IPv6 host has a whole /64.

    None for what is no visitor's: an address of a private network is a proxy that `TRUSTED_PROXIES` does not count, or
    a machine of our own, and many people may stand behind it.
    """
    known = parse_address(address)
    if known is None or not known.is_global:
        return None
    return str(known) if known.version == 4 else str(ipaddress.ip_network((known, 64), strict=False))
