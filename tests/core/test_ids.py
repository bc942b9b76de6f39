"""Ids are stored: another formula would make strangers of everybody who is known."""

import pickle
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from engagement.lib.ids import compute_id, write_moment
from tracking.event import (
    compute_anonymous_profile_id,
    compute_derived_id,
    compute_event_id,
    compute_user_profile_id,
)

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ADA = UUID("9a8d06e1-6849-8e32-8a81-31f80f48e148")


def test_the_formula_of_each_id_is_what_it_was() -> None:
    assert compute_user_profile_id("ada") == ADA
    assert compute_anonymous_profile_id(7, "phone") == UUID("15c9e9ab-a482-86f0-b779-918f73e2ccbd")
    assert compute_event_id(MOMENT, 7, ADA, "m1", "paid", MOMENT) == UUID("019b7ca9-8f2e-75e7-a97f-f27ebaf7cab1")
    assert compute_derived_id("3", ADA, "c1", UUID(int=1), MOMENT) == UUID("019b7ca9-8f2e-7f2b-8ba5-e999a0ba2f5d")


def test_a_moment_is_the_same_in_every_zone() -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert compute_event_id(elsewhere, 7, ADA, "m1", "paid", elsewhere) == compute_event_id(
        MOMENT, 7, ADA, "m1", "paid", MOMENT
    )


@given(
    st.datetimes(timezones=st.timezones() | st.just(UTC), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1))
)
def test_a_moment_in_a_cause_is_written_as_iso_8601_in_utc(moment: datetime) -> None:
    assert write_moment(moment) == moment.astimezone(UTC).isoformat()


@given(st.lists(st.text(max_size=3) | st.text(min_size=255, max_size=300)))
def test_an_id_is_the_hash_of_its_cause_and_like_any_uuid(cause: list[str]) -> None:
    framed = "".join(f"{len(part)}:{part}" for part in cause).encode("utf-8", "surrogatepass")
    digest = bytearray(blake2b(framed, digest_size=16).digest())
    digest[6], digest[8] = 0x80 | digest[6] & 0x0F, 0x80 | digest[8] & 0x3F
    made, same = compute_id(*cause), UUID(bytes=bytes(digest))

    assert (made, hash(made), str(made), made.is_safe) == (same, hash(same), str(same), same.is_safe)
    assert pickle.loads(pickle.dumps(made)) == made
