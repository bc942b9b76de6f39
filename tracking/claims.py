"""Whose a profile is when several people ask it to join: the evaluator decides by it, and an erasure looks back by it.

A device is theirs who signed in last on it, until somebody else does. What it did before its first sign-in belongs to
the first. A profile of a known person changes hands only by a server's alias. Pure.
"""

from uuid import UUID

import msgspec

from tracking.event import IMPORT
from tracking.log.read import LoggedEvent


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a request to join says: who asks, and where in the log they signed in. None: nobody is to have it."""

    owner: UUID | None
    seq: int
    is_known: bool
    is_import: bool


class Tenure(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a profile is (None: nobody's yet, or no more), and where in the log they signed in."""

    owner: UUID | None = None
    seq: int = 0


def read_claim(link: LoggedEvent) -> Claim:
    """Return what a `$linked` says."""
    said = link.properties
    return Claim(
        owner=None if said.get("nobody") else UUID(said["profile"]),
        seq=said.get("seq", link.seq),
        is_known=bool(said.get("known")),
        is_import=said.get("origin") == IMPORT,
    )


def succeeds(claim: Claim, tenure: Tenure, is_known: bool) -> bool:
    """Whether a profile changes hands; `is_known`: it is that of a known person.

    The lane of who signed in first may be the slower one to ask: what counts is the place of the sign-in. History that
    is imported takes a device from nobody.
    """
    if claim.owner == tenure.owner or (is_known and not claim.is_known):
        return False
    return claim.seq >= tenure.seq and not (claim.is_import and tenure.owner is not None)
