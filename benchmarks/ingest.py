"""From a request's body to the disk."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import repeat
from uuid import uuid4

import msgspec
from django.test import RequestFactory

from benchmarks.stage import Figure, time_best
from engagement.lib.interpreter import tune_interpreter
from engagement.lib.postgres import open_connection
from tracking.api.ingest import EventsView
from tracking.event import Item, NewEvent, Stamp, stamp_item
from tracking.log.write import Row, encode_row, write_batch
from tracking.sources import create_source

ROUNDS = 30


def measure() -> list[Figure]:
    """Measure batches of 1,000 and of 100, fresh and sent again, against the bare insert of the same rows."""
    source, keys = create_source("Ingest bench")
    view = EventsView.as_view()
    factory = RequestFactory()

    def send(bodies: list[bytes]) -> None:
        for body in bodies:
            headers = {"authorization": f"Bearer {keys.secret_key}"}
            answer = view(factory.post("/v1/events", body, content_type="application/json", headers=headers))
            assert answer.status_code == 202, answer.content[:200]

    _write_bare(source.pk, 1000, ROUNDS)
    figures = []
    for size, target in ((1000, "≥ 70 %"), (100, "≥ 60 %")):
        count = ROUNDS * 1000 // size
        bare = time_best(partial(_write_bare, source.pk, size, count))
        made = [[_make_body(size) for _ in range(2 * count)] for _ in range(3)]
        tune_interpreter()
        rate = time_best(partial(_send_next, send, iter(made), size))
        again = time_best(partial(_send_next, send, repeat(made[0]), size))
        name = f"{size:,} events a request, authenticated, validated, durable; 2 threads, no socket"
        figures.append(_compare(name, rate, bare, target))
        figures.append(_compare(f"the same {size:,} sent again", again, rate, "≥ 100 % of the first time"))
    return figures


def _send_next(send: Callable[[list[bytes]], None], bodies: Iterator[list[bytes]], size: int) -> int:
    return send_by_two(send, next(bodies)) * size


def _compare(work: str, rate: float, bare: float, target: str) -> Figure:
    return Figure(
        work=work, measured=f"{rate:,.0f}/s", bare=f"{bare:,.0f}/s", ratio=f"{rate / bare:.0%}", target=target
    )


def send_by_two(send: Callable[[list[bytes]], None], bodies: list[bytes]) -> int:
    """Send bodies by two threads, as the web process does; return how many there were."""
    threads = [threading.Thread(target=send, args=(bodies[start::2],)) for start in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(bodies)


def _make_body(size: int) -> bytes:
    now = datetime.now(UTC)
    events = [
        {
            "event": "add_to_cart",
            "user_id": f"user-{uuid4().int % 100_000}",
            "message_id": uuid4().hex,
            "timestamp": now.isoformat(),
            "properties": {
                "product_id": str(number),
                "price": 19.9,
                "currency": "EUR",
                "cart_id": f"c{number}",
                "category": "lamps",
                "path": "/shop/lamps/desk",
                "referrer": "https://search.example/?q=lamp",
            },
        }
        for number in range(size)
    ]
    return msgspec.json.encode({"events": events})


def make_rows(source_id: int, count: int, **fields: object) -> list[Row]:
    """Return encoded rows such as the door makes."""
    stamp = Stamp(source_id=source_id, now=datetime.now(UTC), retention=timedelta(days=400), is_public=False)
    events = msgspec.json.decode(_make_body(count))["events"]
    rows = []
    for number, event in enumerate(events):
        values = {"name": event["event"], "properties": event["properties"]} | fields
        item = Item(
            index=number,
            user_id=event["user_id"],
            message_id=event["message_id"],
            timestamp=datetime.fromisoformat(event["timestamp"]),
            **values,
        )
        made = stamp_item(item, stamp)
        assert isinstance(made, NewEvent)
        rows.append(encode_row(made))
    return rows


def _write_bare(source_id: int, size: int, count: int) -> int:
    """The insert alone, on one connection, of rows that were encoded beforehand: what PostgreSQL can do."""
    batches = _prepared.setdefault((size, count), [])
    if not batches:
        batches += [[make_rows(source_id, size) for _ in range(count)] for _ in range(4)]
    with open_connection("bench", timeout_ms=60_000) as connection:
        for rows in batches.pop():
            write_batch(connection, rows)
    return size * count


_prepared: dict[tuple[int, int], list[list[list[Row]]]] = {}
