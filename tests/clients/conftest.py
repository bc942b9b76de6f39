"""Real libraries report to the running platform, through a server that falters."""

import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
import trustme
from playwright.sync_api import Browser, Page

from tests.clients.faltering import FalteringServer, Fault
from tests.clients.packages import install_packages
from tests.live import LivePlatform, wait_for

Falter = Callable[..., FalteringServer]
LoadLibrary = Callable[..., Page]

TRAITS = {"email": "ada@example.com", "first_seen": "monday", "visits": 5, "colours": ["blue", "green"]}
"""What is known of a person to whom the tests have applied one operator after the other."""

_TEAMS_AT_ONCE = 8
_MAKE_SOURCES = """
import msgspec
from tracking.sources import create_source
keys = [create_source(name, origins)[1] for name, origins in {wanted!r}.items()]
print(msgspec.json.encode(keys).decode())
"""


class Pages:
    """A web server of somebody's shop: its pages are on another origin than the platform. `html` by path."""

    def __init__(self, modules: Path) -> None:
        self.html: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_PageHandler, self.html, str(modules)))
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def origin(self) -> str:
        """The origin of its pages: not the address but the name, so that it is another site too."""
        return f"http://localhost:{self._server.server_port}"

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class _PageHandler(SimpleHTTPRequestHandler):
    def __init__(self, html: dict[str, str], directory: str, *args: Any, **kwargs: Any) -> None:
        self._html = html
        super().__init__(*args, directory=directory, **kwargs)

    def do_GET(self) -> None:
        page = self._html.get(self.path.partition("?")[0])
        if page is None:
            return super().do_GET()
        content = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class Team:
    """A source of its own on the running platform, with its keys, a shop, and a look into the log."""

    platform: LivePlatform
    name: str
    shop: Pages
    write_key: str
    secret_key: str

    def read_events(self) -> list[dict[str, Any]]:
        """Return what was reported to the source, in the order of the log."""
        statement = """
            select name, message_id, user_id, anonymous_id, properties, context, occurred_at from event
             where source_id = (select id from tracking_source where name = %s) and origin < 2 order by seq
        """
        columns = ("name", "message_id", "user_id", "anonymous_id", "properties", "context", "occurred_at")
        with self.platform.connect() as connection:
            rows = connection.execute(statement, (self.name,)).fetchall()
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def count(self, *path: str) -> Counter[Any]:
        """Count the events by name or, with a path such as ("properties", "n"), by what stands there."""
        return Counter(_find(event, path or ("name",)) for event in self.read_events())

    def read_traits(self, user_id: str) -> dict[str, Any]:
        """Return what is known of a user, once every event of the source that is about them has been applied."""
        statement = """
            select traits from profile where user_id = %(user)s and applied_seq >= (
                select max(seq) from event where user_id = %(user)s
                   and source_id = (select id from tracking_source where name = %(source)s)
            )
        """
        with self.platform.connect() as connection:
            find = partial(connection.execute, statement, {"user": user_id, "source": self.name})
            return dict(wait_for(lambda: find().fetchone())[0])

    def wait_for_events(self, number: int, patience: float = 90.0) -> list[dict[str, Any]]:
        """Wait until the source has so many events; return them."""
        wait_for(lambda: len(self.read_events()) >= number, patience)
        return self.read_events()


def _find(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


@pytest.fixture(scope="session")
def coming_teams(live_platform: LivePlatform) -> Iterator[Iterator[Team]]:
    """Teams without end. Their shops stay open: an origin that another test has had belongs to its source."""
    made: list[Team] = []
    yield _make_endless(live_platform, made)
    for team in made:
        team.shop.close()


@pytest.fixture
def team(coming_teams: Iterator[Team]) -> Team:
    """A team that has just made its source, for the pages of a shop of its own."""
    return next(coming_teams)


def _make_endless(platform: LivePlatform, made: list[Team]) -> Iterator[Team]:
    while True:
        teams = make_teams(platform)
        made += teams
        yield from teams


def make_teams(platform: LivePlatform) -> list[Team]:
    """Return several teams that the platform knows: that takes hardly longer than to make one."""
    modules = install_packages()
    shops = {f"Team {uuid4().hex[:8]}": Pages(modules) for _ in range(_TEAMS_AT_ONCE)}
    wanted = {name: [shop.origin] for name, shop in shops.items()}
    keys = json.loads(platform.manage("shell", "--no-imports", "--command", _MAKE_SOURCES.format(wanted=wanted)))
    teams = [Team(platform=platform, shop=shops[own["name"]], **own) for own in keys]
    wait_for(lambda: all(_is_known(team) for team in teams))
    return teams


def _is_known(team: Team) -> bool:
    """Whether the platform's processes have read of the key and the origin: they look once a second."""
    headers = {"X_Write_Key": team.write_key, "Origin": team.shop.origin}
    asked = [team.platform.post("/v1/events", {"events": []}, **headers) for _ in range(4)]
    return all(answer.get("code") == "no_events" for _, answer in asked)


@pytest.fixture
def user_id() -> str:
    """A person that no other test has heard of: users are the same people in all sources."""
    return f"ada-{uuid4().hex}"


@pytest.fixture
def falter(live_platform: LivePlatform) -> Iterator[Falter]:
    """Put a faltering server between a client and the platform."""
    running: list[FalteringServer] = []

    def start(*faults: Fault, quiet: tuple[str, ...] = (), tls: ssl.SSLContext | None = None) -> FalteringServer:
        running.append(FalteringServer(f"127.0.0.1:{live_platform.port}", faults, quiet, tls))
        return running[-1]

    yield start
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Who vouches for the certificates of the tests."""
    return trustme.CA()


@pytest.fixture
def falter_encrypted(falter: Falter, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Falter:
    """Put a faltering server there that speaks TLS, with a certificate that Python and node believe."""
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    for variable in ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        monkeypatch.setenv(variable, str(trusted))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    return partial(falter, tls=tls)


@pytest.fixture
def load_library(browser: Browser, team: Team) -> Iterator[LoadLibrary]:
    """Open a page of the team's shop that loads a library (a path below node_modules) and then runs a script."""
    contexts = []

    def load(library: str, script: str = "") -> Page:
        path = f"/{uuid4().hex}.html"
        team.shop.html[path] = (
            f"<!doctype html><meta charset=utf-8><title>Shop</title><h1>Shop</h1><script src='/{library}'></script>"
            f"<script>{script}</script>"
        )
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        page.goto(team.shop.origin + path)
        return page

    yield load
    for context in contexts:
        context.close()
