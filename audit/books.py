"""Finding rows by their book, strategy on symbol, without reading a table of millions.

For models with a `strategy` and a `symbol` that lead an index: the books there are come
from the index, the words of a person are looked for among them, and the rows are then
fetched by strategy and symbol.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db.models import Model, Q
from django.http import HttpRequest

from audit import distinct


class Book(NamedTuple):
    #: The value of the `strategy` column.
    key: Any
    strategy: str
    symbol: str


def books_of(model: type[Model]) -> list[Book]:
    """The books that have rows, in order; no more than `distinct.MOST`."""
    found = distinct.distinct_by_index(model, "strategy", "symbol")
    field: Any = model._meta.get_field("strategy")
    if not field.is_relation:
        return [Book(strategy, strategy, symbol) for strategy, symbol in found]
    names = dict(field.related_model.objects.values_list("pk", "name"))
    return [Book(key, names.get(key, ""), symbol) for key, symbol in found]


#: What was found for a request, while that is answered.
_asked: WeakKeyDictionary[HttpRequest, dict[type[Model], list[Book]]] = WeakKeyDictionary()


def books_asked_for(request: HttpRequest, model: type[Model]) -> list[Book]:
    """`books_of`, looked for once a request."""
    kept = _asked.setdefault(request, {})
    if model not in kept:
        kept[model] = books_of(model)
    return kept[model]


def on_symbol(books: Iterable[Book], symbol: str) -> Q:
    """The rows on a symbol, with the strategies it has, since those lead the index."""
    keys = {book.key for book in books if book.symbol == symbol}
    return Q(strategy__in=sorted(keys), symbol=symbol)


def with_words(books: list[Book], text: str) -> Q:
    """The rows each of these words stands for, in the strategy's name or in the symbol."""
    condition = Q()
    for word in text.casefold().split():
        condition &= _with_word(books, word)
    return condition


def _with_word(books: list[Book], word: str) -> Q:
    if len(books) == distinct.MOST:
        # More than were looked at; this reads the table, and finds all the same.
        name = "strategy" if all(book.key == book.strategy for book in books) else "strategy__name"
        return Q(**{f"{name}__icontains": word}) | Q(symbol__icontains=word)
    strategies = {book.key for book in books if word in book.strategy.casefold()}
    symbols = {book.symbol for book in books if word in book.symbol.casefold()}
    holders = {book.key for book in books if book.symbol in symbols}
    return Q(strategy__in=sorted(strategies)) | Q(
        strategy__in=sorted(holders), symbol__in=sorted(symbols)
    )


def correlation_range(text: str) -> tuple[UUID, UUID] | None:
    """The ids that start with this text, from the first to the last; None if it is no start.

    At least four hexadecimal digits, with or without hyphens.
    """
    digits = text.strip().replace("-", "").lower()
    if not 4 <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
