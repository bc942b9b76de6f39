"""Lists that stay fast on tens of millions of rows: pages by key, estimated totals, no `COUNT(*)`, no offset."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList

CURSOR_VAR = "before"
_ESTIMATE = """
select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint from pg_class c
 where c.relkind = 'r' and (c.oid = %(table)s::regclass
    or c.oid in (select inhrelid from pg_inherits where inhparent = %(table)s::regclass))
"""


def estimate_rows(model: type[Model]) -> int:
    """Return about how many rows a table holds, partitions included, as PostgreSQL's statistics have it."""
    with connection.cursor() as cursor:
        cursor.execute(_ESTIMATE, {"table": model._meta.db_table})
        return int(cursor.fetchone()[0])


class KeysetChangeList(ChangeList):  # type: ignore[misc]
    """Pages that begin behind a row. The admin's `keyset` names the columns, descending, the last one unique."""

    older: str = ""
    estimate: int | None = None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        """Return the one order in which this list can be read."""
        return [f"-{name}" for name in self.model_admin.keyset]

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Leave the place of the page out of what is filtered."""
        lookups: dict[str, Any] = super().get_filters_params(params)
        lookups.pop(CURSOR_VAR, None)
        return lookups

    def get_results(self, request: HttpRequest) -> None:
        """Read one page and one row more, which says whether there is an older page."""
        rows = self.queryset
        cursor = request.GET.get(CURSOR_VAR)
        if cursor:
            rows = rows.filter(read_cursor(cursor, self.model_admin.keyset))
        found = list(rows[: self.list_per_page + 1])
        self.result_list = found[: self.list_per_page]
        if len(found) > self.list_per_page:
            self.older = write_cursor(self.result_list[-1], self.model_admin.keyset)
        is_whole = not self.older and not cursor
        if not is_whole and not self.has_active_filters and not self.query:
            self.estimate = estimate_rows(self.model)
        self.is_first = not cursor
        self.result_count = len(self.result_list)
        self.full_result_count = self.result_count
        self.show_full_result_count = False
        self.can_show_all = self.multi_page = False
        self.paginator = None

    @property
    def older_url(self) -> str:
        """The link to the page behind this one; '' on the last."""
        return self.get_query_string({CURSOR_VAR: self.older}) if self.older else ""

    @property
    def newest_url(self) -> str:
        """The link to the first page."""
        return str(self.get_query_string(remove=[CURSOR_VAR]))


def write_cursor(row: Model, keyset: tuple[str, ...]) -> str:
    """Return the place behind a row as text."""
    return json.dumps([_encode(getattr(row, name)) for name in keyset])


def read_cursor(text: str, keyset: tuple[str, ...]) -> Q:
    """Return the condition for what comes behind a place; junk is the place before everything."""
    try:
        values = json.loads(text)
    except ValueError:
        return Q()
    if not isinstance(values, list) or len(values) != len(keyset):
        return Q()
    first, last = keyset[0], keyset[-1]
    try:
        decoded = [_decode(value) for value in values]
    except ValueError:
        return Q()
    if len(keyset) == 1:
        return Q(**{f"{first}__lt": decoded[0]})
    # The first part is what an index answers; rows with an equal first column are told apart by the last one.
    equal = Q(**{first: decoded[0], f"{last}__lt": decoded[1]})
    return Q(**{f"{first}__lte": decoded[0]}) & (Q(**{f"{first}__lt": decoded[0]}) | equal)


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"t{value.isoformat()}"
    return f"u{value.hex}" if isinstance(value, UUID) else value


def _decode(value: Any) -> Any:
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        raise ValueError("not a part of a cursor")
    return datetime.fromisoformat(value[1:]) if value[:1] == "t" else UUID(value[1:])
