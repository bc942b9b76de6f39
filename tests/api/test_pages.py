"""The pages made from the description of the API are of today, and every line of them works."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from engagement.local.state import PROJECT
from engagement.management.commands.write_api_docs import write_pages
from tests.clients.packages import NODE, install_packages
from tests.live import LivePlatform, wait_for
from tracking.sources import SourceKeys

LINE = re.compile(r"^```sh\n(curl .*?)\n```$", re.MULTILINE | re.DOTALL)


def list_lines() -> list[str]:
    return LINE.findall((PROJECT / "docs" / "api.md").read_text())


@pytest.fixture(scope="module")
def keys(live_platform: LivePlatform) -> SourceKeys:
    """A source that has reported Ada, so that there is something to read."""
    made = json.loads(
        live_platform.manage("source", "add", "Curl", "--scope", "ingest", "--scope", "read", "--scope", "privacy")
    )
    known = SourceKeys(**{name: made[name] for name in SourceKeys.__struct_fields__})
    ada = {"user_id": "ada", "traits": {"email": "ada@example.com"}}
    bearer = {"Authorization": f"Bearer {known.secret_key}"}
    wait_for(lambda: live_platform.post("/v1/identify", ada, **bearer)[0] == 202)
    wait_for(lambda: has_profile(live_platform))
    return known


def has_profile(platform: LivePlatform) -> bool:
    with platform.connect() as connection:
        return connection.execute("select 1 from profile where user_id = 'ada'").fetchone() is not None


def test_the_pages_are_those_of_todays_description() -> None:
    stale = [path for path, text in write_pages().items() if (PROJECT / path).read_text() != text]
    assert stale == [], "run manage.py write_api_docs"


@pytest.mark.xdist_group("live")
def test_every_curl_line_works_as_it_is_printed(live_platform: LivePlatform, keys: SourceKeys) -> None:
    named = {"ENGAGEMENT_URL": live_platform.base_url, "WRITE_KEY": keys.write_key, "SECRET_KEY": keys.secret_key}
    failed = {}
    for line in list_lines():
        command = f"{line} --silent --show-error --fail-with-body"
        done = subprocess.run(
            ["bash", "-c", command], env=os.environ | named, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            failed[line] = done.stdout + done.stderr
    assert failed == {}
    assert len(list_lines()) >= 10


@pytest.mark.xdist_group("live")
def test_postmans_own_runner_passes_the_collection(
    live_platform: LivePlatform, keys: SourceKeys, tmp_path: Path
) -> None:
    newman = install_packages() / "newman" / "bin" / "newman.js"
    collection = PROJECT / "docs" / "engagement.postman_collection.json"
    report = tmp_path / "report.json"
    variables = {"base_url": live_platform.base_url, "write_key": keys.write_key, "secret_key": keys.secret_key}
    given = [part for name, value in variables.items() for part in ("--env-var", f"{name}={value}")]
    command = [
        str(NODE),
        str(newman),
        "run",
        str(collection),
        *given,
        "-r",
        "json",
        "--reporter-json-export",
        str(report),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    ran = json.loads(report.read_text())["run"]
    failures = [(one["source"]["name"], one["error"]["message"]) for one in ran["failures"]]
    assert (done.returncode, failures) == (0, []), done.stdout
    assert ran["stats"]["assertions"]["total"] == len(list_lines())
