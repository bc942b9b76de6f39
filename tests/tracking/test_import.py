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

from tests.cast import approve, evaluate, make_rule, pass_time, report, scan
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


def load(path: Path, *options: str, output: StringIO | None = None) -> str:
    output = output or StringIO()
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

    said = StringIO()
    with pytest.raises(CommandError, match="No row was imported"):
        load(path, output=said)
    assert "1 rows refused" in said.getvalue()
    assert "has no zone. Write 2026-11-30T09:30:00+01:00, or name it: --time-zone Europe/Berlin." in said.getvalue()
    load(path, "--time-zone=Asia/Tokyo")

    assert Event.objects.get().occurred_at == datetime.fromisoformat(moment + "+09:00")


def test_a_file_of_which_nothing_is_taken_fails_and_says_why(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    old, new = (NOW - timedelta(days=900)).isoformat(), (NOW - timedelta(days=1)).isoformat()
    path.write_text(f"user_id,event,timestamp\nada,order,{old}\nada,order,30.11.2026\nada,order,\n,order,{new}\n")
    said = StringIO()

    with pytest.raises(CommandError, match="No row was imported") as failure:
        load(path, output=said)

    assert failure.value.returncode == 1
    lines = said.getvalue()
    assert "0 events imported, 4 rows refused" in lines
    assert "2 × invalid_timestamp, first in row 2: '30.11.2026' is no time that can be read. Write one like" in lines
    assert "1 × timestamp_out_of_range, first in row 1" in lines
    assert "1 of them are older than the 400 days that events are kept" in lines
    assert "set RETENTION_DAYS to 901 or more" in lines
    assert Path(f"{path}.refused.jsonl").exists()


def test_a_file_of_which_some_is_taken_says_what_was_refused_and_succeeds(source: Source, tmp_path: Path) -> None:
    path = write_csv(tmp_path)
    path.write_text(path.read_text() + f"ada,order,{(NOW - timedelta(days=500)).isoformat()},9,red\n")

    said = load(path, *COLUMNS)

    assert "5 events imported, 1 rows refused" in said
    assert "set RETENTION_DAYS to 501 or more" in said


def import_one(tmp_path: Path, header: str, values: str, *options: str) -> tuple[dict[str, object], str]:
    path = tmp_path / "history.csv"
    path.write_text(f"user_id,event,timestamp,{header}\nada,order,{(NOW - timedelta(days=1)).isoformat()},{values}\n")
    said = load(path, *options)
    return Event.objects.get(origin=IMPORT).properties, said


def test_a_column_has_the_type_that_apps_have_sent(source: Source, tmp_path: Path) -> None:
    live = {"price": 24.26, "count": 2, "gift": True, "zip": "04109", "mixed": 1}
    report("order", source=source, properties=live)
    evaluate()

    properties, said = import_one(tmp_path, "price,count,gift,zip,colour", "19.90,3,true,01067,7")

    assert properties == {"price": 19.9, "count": 3, "gift": True, "zip": "01067", "colour": "7"}
    assert "order.count (number), order.gift (boolean), order.price (number)" in said


def test_a_column_has_the_type_that_the_schema_says(source: Source, tmp_path: Path) -> None:
    approve("order", {"type": "object", "properties": {"total": {"type": "number"}, "ref": {"type": "string"}}})

    properties, _ = import_one(tmp_path, "total,ref", "24.26,12345")

    assert properties == {"total": 24.26, "ref": "12345"}


def test_no_id_is_guessed_into_a_number(source: Source, tmp_path: Path) -> None:
    report("order", source=source, properties={"code": 7, "cart": 1, "price": 2})
    evaluate()

    properties, _ = import_one(tmp_path, "code,cart,price", "007,1152921506151679042,n/a")

    assert properties == {"code": "007", "cart": "1152921506151679042", "price": "n/a"}


def test_json_lines_say_their_types_themselves(source: Source, tmp_path: Path) -> None:
    report("order", source=source, properties={"price": 24.26})
    evaluate()
    path = tmp_path / "history.jsonl"
    moment = (NOW - timedelta(days=1)).isoformat()
    path.write_text(json.dumps({"event": "order", "user_id": "ada", "timestamp": moment, "price": "24.26"}) + "\n")
    load(path)

    assert Event.objects.get(origin=IMPORT).properties == {"price": "24.26"}


def test_a_type_that_is_named_counts_and_what_is_not_of_it_is_refused(source: Source, tmp_path: Path) -> None:
    report("order", source=source, properties={"zip": 1067})
    evaluate()
    path = tmp_path / "history.csv"
    moment = (NOW - timedelta(days=1)).isoformat()
    path.write_text(f"user_id,event,timestamp,total,zip\nada,order,{moment},24.26,1067\nada,order,{moment},12 €,1067\n")

    said = load(path, "--types=total:number,zip:text")

    assert "1 events imported, 1 rows refused" in said
    assert "1 × invalid_type, first in row 2: '12 €' is no number." in said
    assert Event.objects.get(origin=IMPORT).properties == {"total": 24.26, "zip": "1067"}
    with pytest.raises(CommandError, match=r"'total:float' is no type\. Write price:number"):
        load(path, "--types=total:float")


def test_a_column_that_a_csv_file_does_not_have_is_said_before_anything_is_imported(
    source: Source, tmp_path: Path
) -> None:
    path = write_csv(tmp_path)
    for option in ("--types=price:number", "--anonymous-id-column=price"):
        with pytest.raises(
            CommandError, match=r"There is no column price in history\.csv\. There are: customer, kind,"
        ):
            load(path, *COLUMNS, option)
    assert not Event.objects.exists()


def test_a_type_that_is_named_counts_among_nested_properties_too(source: Source, tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    row = {"event": "order", "user_id": "ada", "timestamp": (NOW - timedelta(days=1)).isoformat()}
    path.write_text(json.dumps(row | {"properties": {"price": "24.26"}}) + "\n")

    said = load(path, "--types=price:number,total:number")

    assert Event.objects.get().properties == {"price": 24.26}
    assert "--types names total, which no row has." in said


@pytest.mark.parametrize(("size", "imported", "code"), [(200_000, 2, "event_too_large"), (20 << 20, 1, "invalid_csv")])
def test_a_field_of_any_length_is_refused_in_words(
    source: Source, tmp_path: Path, size: int, imported: int, code: str
) -> None:
    path = tmp_path / "history.csv"
    moment = (NOW - timedelta(days=1)).isoformat()
    rows = [f"ada,order,{moment},{note}" for note in ("a", "x" * size, "b")]
    path.write_text("\n".join(["user_id,event,timestamp,note", *rows]))

    said = load(path)

    assert f"{imported} events imported, 1 rows refused" in said
    assert f"1 × {code}, first in row 2" in said


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
