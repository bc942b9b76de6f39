"""What these stories begin with, and the one question of all of them: what is still held?"""

from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from engagement.lib.postgres import open_connection
from tests.cast import approve, evaluate
from tracking.erasure.ask import ask_erasure
from tracking.models import Erasure, Source
from triggers.evaluate import run as evaluate_run
from triggers.worker import get_worker

_COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, null) from pg_attribute a
  join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'public' and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
   and format_type(a.atttypid, null) = any(%s)
 order by 1, 2
"""
_TYPES = ["text", "character varying", "jsonb", "json", "bytea", "uuid", "uuid[]", "text[]", "inet"]


def find_mentions(*words: str) -> dict[str, set[str]]:
    """Look through every column of every table for words, whatever their case; return where each was found."""
    with open_connection("test", timeout_ms=30_000) as connection:
        columns = connection.execute(_COLUMNS, (_TYPES,)).fetchall()
        assert len({row[0] for row in columns}) > 40, "these are not all tables"
        found: dict[str, set[str]] = {word: set() for word in words}
        lowered = [word.lower() for word in words]
        for table, column, kind in columns:
            text = f"encode({column}, 'escape')" if kind == "bytea" else f"{column}::text"
            tests = ", ".join(["bool_or(position(%s in lower(text)) > 0)"] * len(words))
            query = f'select {tests} from (select {text} as text from "{table}") one'
            row = connection.execute(query.encode(), lowered).fetchone()
            for word, is_found in zip(words, row or (), strict=True):
                if is_found:
                    found[word].add(f"{table}.{column}")
    return {word: places for word, places in found.items() if places}


def hold(source: Source, **said: Any) -> None:
    """Send an order without its price, which is held."""
    approve("order_completed", {"type": "object", "required": ["price"]}, policy="quarantine")
    headers = {"X-Write-Key": source.write_key or ""}
    body = {"event": "order_completed"} | said
    answer = Client().post("/track-event", body, content_type="application/json", headers=headers)
    assert answer.status_code == 202, answer.content


def erase(profile_id: UUID) -> Erasure:
    """Ask for an erasure, have it carried out, and return the receipt."""
    receipt = ask_erasure(get_worker().connection, profile_id, "test")
    evaluate()
    return Erasure.objects.get(pk=str(receipt))


def decide_lanes(monkeypatch: pytest.MonkeyPatch, *lanes: int) -> None:
    """Have the evaluator take a pass in these lanes alone."""
    with monkeypatch.context() as patch:
        patch.setattr(evaluate_run, "find_lagging_lanes", lambda *_: lanes)
        get_worker().evaluator.run_pass()
