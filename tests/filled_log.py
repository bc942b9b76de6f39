"""A log that holds as much as the planner needs to prefer a bad plan, and what a piece of work reads of it.

All is written by a few statements, a row's number being its place: a person, their events, decisions and messages.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection as django_connection

from tracking.log.write import Connection

PEOPLE = 10_000
EVENTS = 80_000
DECISIONS = 20_000
MUCH = 5_000
"""Rows that nobody has to read to know what is new, due or one person's."""

_ID = """(lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
    || substr(md5(n::text), 4, 15))::uuid"""
_PERSON = f"('00000000-0000-8000-8000-' || lpad(to_hex(n % {PEOPLE}), 12, '0'))::uuid"
_LANE = f"(n % {PEOPLE}) % 64"
_ROWS = """(select n, clock_timestamp() - interval '45 days' + n * interval '1 ms' as moment
              from generate_series(1, {count}::bigint) n) row"""
# Half of it is young: in another partition.
_BOTH = f"""(select n, moment + case when n % 2 = 0 then interval '0' else interval '44 days' end as moment
              from {_ROWS.format(count=EVENTS)}) row"""
_FILL = (
    f"""insert into event (id, seq, lane, profile_id, name, properties, context, source_id, origin, user_id,
        occurred_at, received_at)
        select {_ID}, nextval('event_seq_seq'), {_LANE}, {_PERSON}, 'event_' || n % 20, '{{"total": 20}}', '{{}}', 1, 0,
        'p' || n % {PEOPLE}, moment, moment from {_BOTH}""",
    f"""insert into profile (id, lane, user_id, traits, seen_at, created_at)
        select {_PERSON}, {_LANE}, 'p' || n, jsonb_build_object('email', 'p' || n || '@example.com'), moment, moment
        from {_ROWS.format(count=PEOPLE)}""",
    f"""insert into profile_change (id, lane, profile_id, seq, patch)
        select {_ID}, {_LANE}, {_PERSON}, n, '{{"name": "$identify"}}' from {_ROWS.format(count=PEOPLE)}""",
    f"""insert into activation (id, lane, profile_id, rule_id, rule_version_id, event_id, event_seq, occurred_at, trace,
        created_at)
        select {_ID}, {_LANE}, {_PERSON}, 1000 + n % 5, 1, {_ID}, n, moment, '{{}}', moment
        from {_ROWS.format(count=DECISIONS)}""",
    f"""insert into delivery (id, lane, activation_id, profile_id, rule_id, event_id, channel, state, due_at,
        expires_at, created_at, updated_at)
        select {_ID}, {_LANE}, {_ID}, {_PERSON}, 1000 + n % 5, {_ID}, 'email',
        case when n % 10 = 0 then 'planned' else 'accepted' end, moment + interval '90 days',
        moment + interval '99 days', moment, moment
        from {_ROWS.format(count=DECISIONS)}""",
    f"""insert into attempt (delivery_id, lane, number, started_at)
        select {_ID}, {_LANE}, 1, moment from {_ROWS.format(count=DECISIONS)}""",
    f"""insert into timer (lane, profile_id, rule_id, key, event_id, seq, occurred_at, due_at)
        select {_LANE}, {_PERSON}, 1000 + n % 5, '', {_ID}, n, moment, moment + interval '90 days'
        from {_ROWS.format(count=PEOPLE)}""",
    f"""insert into event_dedup (lane, key, event_id, created_at)
        select {_LANE}, {_ID}, {_ID}, clock_timestamp() from {_ROWS.format(count=PEOPLE)}""",
)
_DECIDED = """
insert into lane_cursor select 'evaluator', lane, currval('event_seq_seq') from generate_series(0, 63) lane
"""
_READ = "select relname, seq_tup_read, coalesce(idx_tup_fetch, 0) from pg_stat_user_tables"
_FLUSH = "select pg_stat_force_next_flush()"


def fill_log(connection: Connection, *, is_analyzed: bool) -> None:
    """Fill the tables; all of it is decided. Without statistics the planner goes by the tables' sizes alone.

    Truncating them forgets the statistics of what tests before this one wrote.
    """
    tables = ", ".join(sorted({statement.split()[2] for statement in _FILL}))
    for statement in (f"truncate {tables}", *_FILL, _DECIDED, *(["analyze"] if is_analyzed else [])):
        connection.execute(statement.encode())


class Reads:
    """What each piece of work has read of the tables on our own connection and on Django's."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.whole: dict[str, list[str]] = {}
        self._before = self._read()

    @contextmanager
    def watch(self, work: str) -> Iterator[None]:
        """Note, under the work's name, each table of which it has read much, whether through an index or not."""
        self._before = self._read()
        yield
        after = self._read()
        found = [
            f"{table}: {after[table] - before:,} rows"
            for table, before in self._before.items()
            if after[table] - before >= MUCH
        ]
        if found:
            self.whole[work] = found

    def _read(self) -> dict[str, int]:
        """Each process counts for itself at first: have these tell."""
        self.connection.execute(_FLUSH)
        with django_connection.cursor() as cursor:
            cursor.execute(_FLUSH)
            cursor.execute(_READ)
            return {table: in_order + by_index for table, in_order, by_index in cursor.fetchall()}
