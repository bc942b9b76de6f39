"""The lists of the admin over millions of rows."""

import time
from statistics import median

from benchmarks.stage import Figure
from engagement.lib.postgres import open_connection
from tracking.log.write import Connection
from tracking.sources import create_source

EVENTS, PEOPLE, DECISIONS = 10_000_000, 5_000_000, 3_000_000
LISTS = (
    "tracking/event/",
    "tracking/event/?name=event_3",
    "tracking/profile/",
    "tracking/profile/?q=p4711",
    "triggers/activation/",
    "triggers/delivery/",
    "triggers/delivery/?state=in_doubt",
    "triggers/delivery/in-doubt/",
)

_ID = """(lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
    || substr(md5(n::text), 4, 15))::uuid"""
_PERSON = f"('00000000-0000-8000-8000-' || lpad(to_hex(n % {PEOPLE}), 12, '0'))::uuid"
_ROWS = """(select n, clock_timestamp() - ({count} - n) * interval '0.5 s' as moment
   from generate_series(1, {count}::bigint) n) row"""
_FILL = (
    f"""insert into event (id, seq, lane, profile_id, name, properties, context, source_id, origin, user_id,
     occurred_at, received_at)
     select {_ID}, n, n % 64, {_PERSON}, 'event_' || n % 20, '{{"total": 20}}', '{{}}', 1, 0, 'p' || n % {PEOPLE},
     moment, moment from {_ROWS.format(count=EVENTS)}""",
    f"""insert into profile (id, lane, user_id, traits, seen_at, created_at)
     select {_PERSON}, n % 64, 'p' || n % {PEOPLE}, '{{}}', moment, moment from {_ROWS.format(count=PEOPLE)}""",
    f"""insert into activation (id, lane, profile_id, rule_id, rule_version_id, event_id, event_seq, occurred_at, trace,
     created_at)
     select {_ID}, n % 64, {_PERSON}, 1 + n % 5, 1, gen_random_uuid(), n, moment, '{{}}', moment
     from {_ROWS.format(count=DECISIONS)}""",
    f"""insert into delivery (id, lane, activation_id, profile_id, rule_id, event_id, channel, state, due_at,
     expires_at, created_at, updated_at)
     select {_ID}, n % 64, gen_random_uuid(), {_PERSON}, 1 + n % 5, gen_random_uuid(), 'email',
     case when n % 1000 = 0 then 'in_doubt' else 'accepted' end, moment, moment, moment, moment
     from {_ROWS.format(count=DECISIONS)}""",
)


def measure() -> list[Figure]:
    """Measure each list's first page, and a person's page, in process and without a socket."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    settings.ALLOWED_HOSTS = ["*"]
    create_source("Pages bench")
    with open_connection("bench-pages", timeout_ms=3_600_000) as connection:
        _fill(connection)
        person = connection.execute("select id from profile where user_id = 'p4711'").fetchone()
    client = Client()
    user = User.objects.create_superuser("bench", "bench@example.com", "x")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    pages = (*LISTS, f"tracking/profile/{person[0] if person else ''}/change/")
    seconds = [_time(client, f"/admin/{page}") for page in pages]
    return [
        Figure(
            work=f"{len(pages)} pages of the admin over {EVENTS:,} events, {PEOPLE:,} people, {DECISIONS:,} "
            "activations and as many deliveries",
            measured=f"{min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f} ms each",
            target="fast on 10 million rows",
        )
    ]


def _fill(connection: Connection) -> None:
    connection.execute("truncate event, profile, activation, delivery")
    for statement in _FILL:
        connection.execute(statement.encode())
    connection.execute("vacuum analyze")


def _time(client: object, path: str) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        answer = client.get(path)  # type: ignore[attr-defined]
        times.append(time.perf_counter() - start)
        assert answer.status_code == 200, (path, answer.status_code)
    return median(times)
