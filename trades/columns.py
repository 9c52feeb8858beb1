"""A column for money, prices and quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage
from django.core.validators import DecimalValidator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from trades.numeric import DECIMALS, DIGITS

if TYPE_CHECKING:
    _DecimalField = models.DecimalField[Any, Any]
else:
    _DecimalField = models.DecimalField


class ExactField(_DecimalField):
    """A NUMERIC without precision: it stores what it is given, to the last digit.

    Forms take what an alert may tell and nothing longer, so that exact arithmetic has room for
    it. What is computed may have more digits; nothing but a form asks the validators.
    """

    default_validators = [DecimalValidator(DIGITS + DECIMALS, DECIMALS)]

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "numeric"

    def cast_db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "numeric"

    # Django would have both said, and pad every number it shows with zeros up to them.

    def _check_decimal_places(self) -> list[CheckMessage]:
        return []

    def _check_max_digits(self) -> list[CheckMessage]:
        return []

    def _check_decimal_places_and_max_digits(self, **kwargs: Any) -> list[CheckMessage]:
        return []
