"""A shop on a site of its own, and a gate before the platform that can fail as networks and servers do."""

import threading
import urllib.error
import urllib.request
from collections import Counter, deque
from typing import Any

import msgspec

from tests.live import LivePlatform
from tests.other_side import Heard, OtherSide, Say
from tracking.snippet import write_snippet

_PASSED_ON = ("origin", "content-type")


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the event table."""

    name: str
    user_id: str | None
    anonymous_id: str
    message_id: str
    properties: dict[str, Any]
    context: dict[str, Any]


class Gate:
    """Passes requests on to the platform, after those that `faults` says what becomes of."""

    def __init__(self, platform: LivePlatform, source: dict[str, str], shop_url: str) -> None:
        self.key, self._source_name = source["write_key"], source["name"]
        self._platform, self._shop_url = platform, shop_url
        self.faults: deque[Say] = deque()
        self.loses_answers = False
        self.arrived = 0
        self._is_open = threading.Event()
        self._is_open.set()
        self._side = OtherSide()
        self._side.answer = self._answer
        self._begin = self._read("select coalesce(max(seq), 0) from event", ())[0][0]

    @property
    def url(self) -> str:
        """Its address: another site than the shop's."""
        return self._side.url

    def fail(self, *statuses: int, **headers: str) -> None:
        """Answer the next reports so, as the platform would: a page of the shop may read it. 0 hangs up."""
        readable = {"Access-Control-Allow-Origin": self._shop_url, "Access-Control-Expose-Headers": "Retry-After"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.extend(Say(status=status, headers=readable | named) for status in statuses)

    def hold(self) -> None:
        """Let reports arrive and answer none of them."""
        self._is_open.clear()

    def release(self) -> None:
        """Answer again, also those that were held."""
        self._is_open.set()

    def list_reports(self) -> list[Heard]:
        """Return what pages have reported, in order."""
        return [one for one in self._side.heard if one.path.startswith("/v1/")]

    def list_sent(self) -> list[str]:
        """Return the message id of each event in each report."""
        return [event["message_id"] for one in self.list_reports() for event in one.json["events"]]

    def list_stored(self) -> list[Stored]:
        """Return what is in the event table since this gate was opened."""
        query = """select name, user_id, anonymous_id, message_id, properties, context from event
            where seq > %s and origin = 0 and message_id is not null and source_id =
                (select id from tracking_source where name = %s) order by seq"""
        names = Stored.__struct_fields__
        return [
            Stored(**dict(zip(names, row, strict=True))) for row in self._read(query, (self._begin, self._source_name))
        ]

    def count_stored(self) -> Counter[str]:
        """Return how many events of each name were stored."""
        return Counter(event.name for event in self.list_stored())

    def stop(self) -> None:
        """Listen no more."""
        self.release()
        self._side.stop()

    def _read(self, query: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._platform.connect() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def _answer(self, heard: Heard) -> Say:
        if heard.method == "GET":
            return self._pass_on(heard)
        self.arrived += 1
        assert self._is_open.wait(60)
        if self.faults:
            return self.faults.popleft()
        said = self._pass_on(heard)
        return Say(status=0) if self.loses_answers else said

    def _pass_on(self, heard: Heard) -> Say:
        headers = {name: value for name, value in heard.headers.items() if name in _PASSED_ON}
        body = heard.body if heard.method == "POST" else None
        request = urllib.request.Request(self._platform.base_url + heard.path, body, headers, method=heard.method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Say(status=answer.status, body=answer.read(), headers=_keep(answer.headers))
        except urllib.error.HTTPError as error:
            return Say(status=error.code, body=error.read(), headers=_keep(error.headers))


def _keep(headers: Any) -> dict[str, str]:
    dropped = ("content-length", "connection", "date", "server", "transfer-encoding")
    return {name: value for name, value in headers.items() if name.lower() not in dropped}


def write_page(url: str, key: str, attributes: str, early: str) -> bytes:
    """Return a page of the shop that loads the script as the admin says; `early` runs before it has loaded."""
    stub, script = write_snippet(url, key, attributes).split("\n")
    return f"<!doctype html><title>Lamps</title>{stub}<script>{early}</script>{script}".encode()
