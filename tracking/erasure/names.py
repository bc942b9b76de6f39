"""Ids and addresses that came as names of properties, as in `{"votes": {"ada": 1}}`: event types list what they saw.

A name that is somebody's id goes from there with them, whatever else it may mean; what is still sent under it is found
again. Schemas that a person wrote stay as they are.
"""

from collections.abc import Collection

from psycopg.types.json import Jsonb

from tracking.log.write import Connection
from tracking.schema.paths import quote_name, read_path

_FIND = """
select name, properties from tracking_eventtype
 where exists (select from jsonb_object_keys(properties) path, unnest(%s::text[]) word where strpos(path, word) > 0)
"""
# Two erasures may each change several types, in any order: one waits for the other.
_LOCK = "lock table tracking_eventtype in share row exclusive mode"
_KEEP = "update tracking_eventtype set properties = %s where name = %s"


def forget_names(connection: Connection, words: Collection[str]) -> None:
    """Take the properties that have one of the words in their path, as a whole name, out of all event types."""
    written = [quote_name(word) for word in words]
    if not written or not connection.execute(_FIND, (written,)).fetchall():
        return
    connection.execute(_LOCK)
    for name, properties in connection.execute(_FIND, (written,)).fetchall():
        kept = {path: seen for path, seen in properties.items() if not set(_list_names(path)) & set(words)}
        if len(kept) < len(properties):
            connection.execute(_KEEP, (Jsonb(kept), name))


def _list_names(path: str) -> list[str | int]:
    return read_path(f"properties.{path.replace('[]', '')}")
