"""Rows of models, written and read many at a time by statements whose text is made once.

On the ground floor, for the way an alert takes: there the ORM spends several times longer
on building each statement than PostgreSQL on carrying it out (docs/performance.md has the
figures). Everything else keeps to the ORM. PostgreSQL only, inside a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction

import deadline

M = TypeVar("M", bound=models.Model)


@contextmanager
def transaction_in_few_trips() -> Iterator[None]:
    """A transaction whose statements wait until one's answer is wanted, and then go together.

    The last ones go with the COMMIT, so that what was asked may fail at the end. Inside, the
    ORM can read and insert; how many rows a statement of its own changed it is not told.
    Raises what Django raises for the database's faults.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.ensure_connection()
    if database.in_atomic_block or not deadline.notices_silence(database):
        with transaction.atomic():
            yield
        return
    with transaction.atomic(), database.wrap_database_errors:
        # Otherwise psycopg sends a BEGIN of its own, and waits for its answer.
        database.connection.autocommit = True
        with database.connection.pipeline():
            _execute(database, "BEGIN")
            yield
            # Django finds nothing left to commit.
            _execute(database, "COMMIT")


def ask(statement: str, parameters: Sequence[object] = ()) -> Callable[[], list[Any]]:
    """Ask for rows; what is returned waits for them."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        cursor = _execute(database, statement, parameters)

    def answer() -> list[Any]:
        with database.wrap_database_errors:
            return cursor.fetchall()

    return answer


def as_json(model: type[models.Model]) -> str:
    """A row of a model as a statement tells it in JSON, for `from_json`."""
    table = model._meta.db_table
    listed = ", ".join(f'"{table}"."{name}"' for name in _fields(model).types)
    return f"json_build_array({listed})"


def from_json(model: type[M], row: Sequence[Any]) -> M:
    """The row that `as_json` told; its decimal numbers must have been read as Decimal."""
    fields = _fields(model)
    values = [read(value) for read, value in zip(fields.read, row, strict=True)]
    return model.from_db(DEFAULT_DB_ALIAS, fields.column, values)


def new(model: type[M], **values: object) -> M:
    """A row that is not there yet: `model(**values)` in half of its time.

    Values are told by attribute (`trade_id`), the others are the fields' defaults. Django's
    constructor looks for each field by its name; only told all of them in their order, it does not.
    """
    fields = _fields(model)
    made = {name: make() for name, make in fields.made.items()}
    return model(*(fields.defaults | made | values).values())


#: For attributes that refer to rows which may have no id yet: a unique column of theirs, and
#: what it holds for each of the rows at hand.
Named = Mapping[str, tuple[str, Sequence[object]]]


def insert(rows: Sequence[models.Model]) -> None:
    """Insert rows of one model, in their order; each gets its id."""
    ask_to_insert(rows)()


def ask_to_insert(
    rows: Sequence[models.Model], named: Named = MappingProxyType({})
) -> Callable[[], None]:
    """As `insert`, but each has its id only once what is returned has waited for it."""
    if not rows:
        return lambda: None
    fields = _fields(type(rows[0]))
    for row in rows:
        for field in fields.stamped:
            field.pre_save(row, add=True)
    told = _as_json(rows, fields.written, named)
    ids = ask(_insertion(type(rows[0]), _by_name(named)), [told])

    def take_ids() -> None:
        if rows[0].pk is not None:
            return  # It has waited before.
        for row, (key,) in zip(rows, ids(), strict=True):
            row.pk = key
            row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS

    return take_ids


def update(
    rows: Sequence[models.Model], names: tuple[str, ...], named: Named = MappingProxyType({})
) -> None:
    """Write these fields (by attribute, so `trade_id`) of rows of one model."""
    if not rows:
        return
    fields = _fields(type(rows[0]))
    written = {"id": "id"} | {fields.column[name]: name for name in names}
    told = _as_json(rows, written, named)
    ask(_change(type(rows[0]), names, _by_name(named)), [told])


class _Fields:
    """What statements about a model are made of; the first field is its id."""

    def __init__(self, model: type[models.Model]) -> None:
        fields = sorted(model._meta.concrete_fields, key=lambda field: not field.primary_key)
        self.table = model._meta.db_table
        #: By attribute.
        self.column = {field.attname: str(field.column) for field in fields}
        # Without a length: a cast to one would cut off what an insert refuses.
        types = [str(field.rel_db_type(connection)).partition("(")[0] for field in fields]
        #: By column.
        self.types = dict(zip(self.column.values(), types, strict=True))
        #: By attribute, the models that fields refer to.
        self.referred = {field.attname: field.related_model for field in fields}
        #: From JSON to each field's own type.
        self.read = [field.to_python for field in fields]
        #: By attribute, what each field holds where nothing is told, and what makes it where
        #: every row has one of its own.
        self.defaults = {field.attname: field.get_default() for field in fields}
        self.made = {
            field.attname: field.default
            for field in fields
            if field.has_default() and callable(field.default)
        }
        #: Those that are told the time on being inserted.
        self.stamped = [field for field in fields if getattr(field, "auto_now_add", False)]
        #: Attributes by column, of all but the id.
        self.written = {str(field.column): field.attname for field in fields[1:]}


@lru_cache
def _fields(model: type[models.Model]) -> _Fields:
    return _Fields(model)


#: Of what `Named` tells, what a statement is made of: attributes, and the unique columns.
_ByName = tuple[tuple[str, str], ...]


def _by_name(named: Named) -> _ByName:
    return tuple((name, unique) for name, (unique, _) in named.items())


@lru_cache
def _insertion(model: type[models.Model], by_name: _ByName) -> str:
    columns = list(_fields(model).written)
    values, source = _source(model, columns, by_name)
    listed = ", ".join(f'"{column}"' for column in columns)
    return (
        f'INSERT INTO "{_fields(model).table}" ({listed}) SELECT {", ".join(values.values())}'
        f" FROM {source} RETURNING id"
    )


@lru_cache
def _change(model: type[models.Model], names: tuple[str, ...], by_name: _ByName) -> str:
    columns = [_fields(model).column[name] for name in names]
    values, source = _source(model, ["id", *columns], by_name)
    changes = ", ".join(f'"{column}" = {values[column]}' for column in columns)
    return f'UPDATE "{_fields(model).table}" t SET {changes} FROM {source} WHERE t.id = v.id'


def _source(
    model: type[models.Model], columns: Sequence[str], by_name: _ByName
) -> tuple[dict[str, str], str]:
    """Where rows are read from that come as JSON, and by column what is read there."""
    fields = _fields(model)
    values = {column: f'v."{column}"' for column in columns}
    types = {column: fields.types[column] for column in columns}
    for name, unique in by_name:
        column, its = fields.column[name], _fields(fields.referred[name])
        values[column] = f'(SELECT id FROM "{its.table}" WHERE "{unique}" = v."{column}")'
        types[column] = its.types[unique]
    listed = ", ".join(f'"{column}" {type_}' for column, type_ in types.items())
    return values, f"json_to_recordset(%s) AS v({listed})"


def _as_json(rows: Sequence[models.Model], written: dict[str, str], named: Named) -> str:
    """The rows as one parameter, which costs far less than an array a column."""
    told = [{column: getattr(row, name) for column, name in written.items()} for row in rows]
    for name, (_, names) in named.items():
        column = _fields(type(rows[0])).column[name]
        for each, its in zip(told, names, strict=True):
            each[column] = its
    return json.dumps(told, default=_as_text, ensure_ascii=False)


def _as_text(value: object) -> str:
    # As strings, numbers keep every digit: PostgreSQL reads them as their column's type.
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _execute(
    database: Any, statement: str, parameters: Sequence[object] = ()
) -> psycopg.Cursor[Any]:
    cursor: psycopg.Cursor[Any] = psycopg.Cursor(database.connection)
    # Parsed and planned once a connection.
    cursor.execute(statement.encode(), parameters, prepare=True)
    return cursor
