"""The distinct values at the head of an index, without reading all of its rows."""

from __future__ import annotations

from typing import Any, Final

from django.db import connections
from django.db.models import Model

#: Combinations that are looked for; a list of more choices helps nobody.
MOST: Final = 2000


def distinct_by_index(model: type[Model], *names: str) -> list[tuple[Any, ...]]:
    """The combinations of these columns, in their order; the first `MOST` of them.

    The columns must lead an index of a PostgreSQL table: it is then entered once a
    combination, which is why a million rows take no longer than their few values.
    """
    quote = connections["default"].ops.quote_name
    meta = model._meta
    columns = [quote(str(meta.get_field(name).column)) for name in names]  # type: ignore[union-attr]
    listed, table = ", ".join(columns), quote(meta.db_table)
    last = ", ".join(f"last.{column}" for column in columns)
    sql = f"""
        WITH RECURSIVE last AS (
            (SELECT {listed} FROM {table} ORDER BY {listed} LIMIT 1)
            UNION ALL
            SELECT next.* FROM last, LATERAL (
                SELECT {listed} FROM {table} WHERE ({listed}) > ({last}) ORDER BY {listed} LIMIT 1
            ) next
        )
        SELECT * FROM last LIMIT %s
    """
    with connections["default"].cursor() as cursor:
        cursor.execute(sql, [MOST])
        return [tuple(row) for row in cursor.fetchall()]
