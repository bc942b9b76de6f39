"""The script for pages: what it is made of, how it is served, the lines that load it."""

import gzip
import hashlib

from django.test import Client

from engagement.local.state import PROJECT
from engagement.tracker import TRACKER_DIR
from tracking.snippet import write_snippet

SCRIPT = TRACKER_DIR / "tracker.js"
PACKAGE = PROJECT / "clients" / "js"


def test_the_script_has_under_4_kb_as_it_travels() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9)) < 4096
    assert gzip.decompress((TRACKER_DIR / "tracker.js.gz").read_bytes()) == SCRIPT.read_bytes()


def test_what_is_committed_was_built_from_the_source_beside_it() -> None:
    lines = [line.split("  ") for line in (PACKAGE / "dist.sha256").read_text().splitlines()]
    told = {name: found for found, name in lines}
    files = [*PACKAGE.glob("src/*"), *TRACKER_DIR.iterdir(), PACKAGE / "package.json", PACKAGE / "build.mjs"]
    found = {str(file.relative_to(PACKAGE)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert found == told, "build it again: cd clients/js && npm ci && npm run build"


def test_the_script_is_kept_for_an_hour_and_then_asked_for_by_its_content() -> None:
    answer = Client().get("/tracker.js", headers={"accept-encoding": "gzip"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/javascript")
    assert "max-age=3600" in answer["Cache-Control"]
    assert answer["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(answer)) == SCRIPT.read_bytes()
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Set-Cookie" not in answer
    again = Client().get("/tracker.js", headers={"if-none-match": answer["ETag"]})
    assert again.status_code == 304


def test_the_lines_to_copy_hold_nothing_that_would_leave_their_attributes() -> None:
    lines = write_snippet('https://a.example/"><script>', "wk_1")
    assert lines.count("<script") == 2
    assert 'data-key="wk_1" data-page-views></script>' in lines


def test_the_documentation_shows_the_lines_that_the_admin_shows() -> None:
    shown = write_snippet("https://events.shop.example", "wk_…")
    assert shown in (PROJECT / "docs" / "clients.md").read_text()
