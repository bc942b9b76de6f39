"""Loading history: resumable, twice the same, firing nothing."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from tests.cast import evaluate, make_rule, pass_time, report, scan
from tracking.event import IMPORT
from tracking.log.horizon import record_tick
from tracking.models import Event, Profile, Source
from triggers.models import Activation
from triggers.worker import get_worker

NOW = datetime.now(UTC)


def write_csv(folder: Path, rows: int = 5) -> Path:
    path = folder / "history.csv"
    moments = [(NOW - timedelta(days=30, minutes=n)).isoformat() for n in range(rows)]
    lines = [f"ada,order,{moment},{n},blue" for n, moment in enumerate(moments)]
    path.write_text("\n".join(["customer,kind,at,total,colour", *lines]) + "\n")
    return path


COLUMNS = ("--user-id-column=customer", "--event-column=kind", "--timestamp-column=at")


def load(path: Path, *options: str) -> str:
    output = StringIO()
    call_command("import_events", str(path), "--source=Shop", *options, stdout=output)
    return output.getvalue()


def test_a_second_import_of_the_same_file_adds_nothing_and_says_so(source: Source, tmp_path: Path) -> None:
    path = write_csv(tmp_path)

    assert "2 events imported, 0 rows refused" in load(path, *COLUMNS, "--start-line=4")
    assert "3 events imported, 2 were in the log already, 0 rows refused" in load(path, *COLUMNS)
    assert "0 events imported, 5 were in the log already, 0 rows refused" in load(path, *COLUMNS)

    assert Event.objects.count() == 5
    assert Event.objects.order_by("-occurred_at")[0].properties == {"total": "0", "colour": "blue"}


def test_history_makes_profiles_and_fires_no_rule(source: Source, tmp_path: Path) -> None:
    make_rule(trigger={"kind": "event", "event": "order"})
    load(write_csv(tmp_path), *COLUMNS)

    evaluate()

    assert not Activation.objects.exists()
    assert Profile.objects.get().seen_at is not None


def test_who_was_silent_before_the_import_starts_nothing(source: Source, tmp_path: Path) -> None:
    make_rule(trigger={"kind": "inactivity", "after": 86_400})
    scan()
    load(write_csv(tmp_path), *COLUMNS)

    assert scan() == 0
    pass_time(90_000)
    assert scan() == 0


def test_a_file_brings_none_of_the_platforms_own_words(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    moment = (NOW - timedelta(days=1)).isoformat()
    rows = [{"event": name, "user_id": "ada", "timestamp": moment} for name in ("$linked", "$erase", "$identify")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert "1 events imported, 2 rows refused" in load(path)

    assert [event.name for event in Event.objects.all()] == ["$identify"]


def test_json_lines_carry_their_own_names(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    good = {
        "event": "order",
        "user_id": 7,
        "timestamp": (NOW - timedelta(days=1)).timestamp(),
        "properties": {"a": [1]},
    }
    path.write_text(json.dumps(good) + "\n{broken\n" + json.dumps({"event": "order", "user_id": "x"}) + "\n")

    said = load(path)

    assert "1 events imported, 2 rows refused" in said
    event = Event.objects.get()
    assert (event.user_id, event.properties) == ("7", {"a": [1]})
    codes = [json.loads(line)["code"] for line in Path(f"{path}.refused.jsonl").read_text().splitlines()]
    assert codes == ["invalid_json", "invalid_timestamp"]


def test_an_import_is_continued_from_a_line(source: Source, tmp_path: Path) -> None:
    path = write_csv(tmp_path)
    load(path, *COLUMNS, "--start-line=4")
    assert Event.objects.count() == 2

    load(path, *COLUMNS)

    assert Event.objects.count() == 5


def test_a_time_without_a_zone_needs_one(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    moment = (NOW - timedelta(days=2)).replace(tzinfo=None).isoformat(timespec="seconds")
    path.write_text(f"user_id,event,timestamp\nada,order,{moment}\n")

    assert "1 rows refused" in load(path)
    load(path, "--time-zone=Asia/Tokyo")

    assert Event.objects.get().occurred_at == datetime.fromisoformat(moment + "+09:00")


def test_an_unknown_source_or_file_is_said_in_a_sentence(source: Source, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file"):
        load(tmp_path / "nothing.csv")
    with pytest.raises(CommandError, match="There is no source"):
        call_command("import_events", "x.csv", "--source=Nowhere")


def test_an_import_waits_while_the_evaluator_is_behind(source: Source, tmp_path: Path) -> None:
    connection = get_worker().connection
    evaluate()
    record_tick(connection)
    evaluate()
    pass_time(5)
    report("now", source=source)
    record_tick(connection)
    path = write_csv(tmp_path)

    def work() -> None:
        load(path, *COLUMNS)
        connections.close_all()

    importer = threading.Thread(target=work)
    importer.start()
    time.sleep(0.7)
    while_behind = Event.objects.filter(origin=IMPORT).count()
    evaluate()
    record_tick(connection)
    importer.join(60)

    assert while_behind == 0
    assert Event.objects.filter(origin=IMPORT).count() == 5
