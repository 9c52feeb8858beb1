"""Which trades and alerts the Overview is about, as its address says it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django import forms
from django.db.models import QuerySet
from django.urls import get_script_prefix, reverse

from trades.currencies import is_traded_in
from trades.models import Strategy, Trade
from trades.period import Period

#: An order's own time lies between these, wherever its days begin (webhooks.moments.moment).
_EARLIEST: Final = date(1969, 12, 31)
_LATEST: Final = date(2201, 1, 1)
#: Days of alerts that can be chosen, the usual number first.
ALERT_DAYS: Final = (7, 1, 30)
#: Trades that are summed up without somebody having asked for their days.
MOST_TRADES: Final = 30_000
#: How the address names the trades whose alerts told no currency.
NO_CURRENCY: Final = "none"


@dataclass(frozen=True, slots=True)
class Filters:
    """A choice; what is "" or None is not narrowed down."""

    strategy: str = ""
    symbol: str = ""
    #: Days of the user's calendar, both included.
    first: date | None = None
    last: date | None = None
    #: As trades have it; None leaves it to the page.
    currency: str | None = None
    with_tests: bool = False
    alert_days: int = ALERT_DAYS[0]

    def trades(self) -> QuerySet[Trade]:
        """The trades of the strategy and the symbol, of all times and currencies."""
        trades = Trade.objects.all()
        if self.strategy:
            trades = trades.filter(strategy__name=self.strategy)
        if self.symbol:
            trades = trades.filter(symbol=self.symbol)
        return trades

    def strategy_id(self) -> int | None:
        """None for all strategies; 0 for one that is not there."""
        if not self.strategy:
            return None
        found = Strategy.objects.filter(name=self.strategy).values_list("pk", flat=True)
        return found.first() or 0

    def url(self, **changes: Any) -> str:
        """The address of the same view with these changes."""
        chosen = replace(self, **changes)
        parameters = {
            "strategy": chosen.strategy,
            "symbol": chosen.symbol,
            "from": chosen.first.isoformat() if chosen.first else "",
            "to": chosen.last.isoformat() if chosen.last else "",
            "currency": NO_CURRENCY if chosen.currency == "" else chosen.currency or "",
            "tests": "included" if chosen.with_tests else "",
            "alerts": "" if chosen.alert_days == ALERT_DAYS[0] else str(chosen.alert_days),
        }
        told = {name: value for name, value in parameters.items() if value}
        return _overview(get_script_prefix()) + (f"?{urlencode(told)}" if told else "")


@lru_cache(maxsize=4)
def _overview(prefix: str) -> str:
    # A page has hundreds of these addresses.
    return reverse("overview")


def period(filters: Filters, *, reach: Period | None, today: date) -> Period:
    """The days of the trades to show; `reach` are those of the first and the last trade.

    What is open is bounded by a year: without any bound, the one that ends with the latest
    trade, so that a log that has been silent for long shows something as well.
    """
    if filters.first is not None:
        return Period(filters.first, filters.last or max(filters.first, today))
    # An order's own time may lie ahead by a mistake; it must not hide the others.
    last = filters.last or min(reach.last if reach else today, today)
    return Period(max(_EARLIEST, last - timedelta(days=364)), last)


def shortened(chosen: Period, trades: QuerySet[Trade], zone: tzinfo) -> Period:
    """The last days of the period that hold no more than so many trades, at least one.

    What nobody asked for in particular is shown at once, however many trades there are.
    """
    since, until = chosen.bounds(zone)
    exits = trades.filter(exit_time__gte=since, exit_time__lt=until).order_by("-exit_time")
    beyond = list(exits.values_list("exit_time", flat=True)[MOST_TRADES : MOST_TRADES + 1])
    if not beyond:
        return chosen
    first = beyond[0].astimezone(zone).date() + timedelta(days=1)
    return Period(min(first, chosen.last), chosen.last)


class QuickPeriod(NamedTuple):
    """A period that is one click away."""

    label: str
    url: str


def quick_periods(filters: Filters, reach: Period | None, today: date) -> list[QuickPeriod]:
    """The usual periods, for the same strategy and symbol."""
    year_ago = today - timedelta(days=364)
    usual = {
        "30 days": Period(today - timedelta(days=29), today),
        "90 days": Period(today - timedelta(days=89), today),
        "This year": Period(today.replace(month=1, day=1), today),
        "12 months": Period(year_ago, today),
    }
    if reach is not None:
        usual["All"] = reach
    return [
        QuickPeriod(label, filters.url(first=each.first, last=each.last))
        for label, each in usual.items()
    ]


class CurrencyField(forms.CharField):
    """A currency that there are trades in, or `NO_CURRENCY`, or ""."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=20, **options)

    def clean(self, value: Any) -> str:
        currency: str = super().clean(value)
        if currency not in ("", NO_CURRENCY) and not is_traded_in(currency):
            # Django REST framework takes what it is told for a format, also without parameters.
            raise forms.ValidationError(
                "No trade is in a currency “%(value)s”.", params={"value": currency}
            )
        return currency


class TradesForm(forms.Form):
    """The parameters that say which trades are meant."""

    strategy = forms.CharField(required=False, max_length=100)
    symbol = forms.CharField(required=False, max_length=100)
    currency = CurrencyField(required=False)

    def __init__(self, parameters: Any, *, strategies: list[str], symbols: list[str]) -> None:
        super().__init__(parameters)
        self.strategies, self.symbols = strategies, symbols
        # By address and label; `from` is no name Python lets a class have.
        for name in ("from", "to"):
            self.fields[name] = forms.DateField(
                required=False,
                input_formats=["%Y-%m-%d"],
                error_messages={"invalid": "This is no date; write it as 2026-01-31."},
            )

    def clean_strategy(self) -> str:
        strategy: str = self.cleaned_data["strategy"]
        if strategy and strategy not in self.strategies:
            raise forms.ValidationError(f"There is no strategy “{strategy}”.")
        return strategy

    def clean_symbol(self) -> str:
        symbol: str = self.cleaned_data["symbol"]
        if symbol and symbol not in self.symbols:
            raise forms.ValidationError(f"No trade or position is on a symbol “{symbol}”.")
        return symbol

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in ("from", "to"):
            day = cleaned.get(name)
            if day is not None and not _EARLIEST <= day <= _LATEST:
                self.add_error(name, f"Choose a day from {_EARLIEST} to {_LATEST}.")
        first, last = cleaned.get("from"), cleaned.get("to")
        if first and last and first > last:
            self.add_error("to", "The last day is before the first one.")
        return cleaned

    def filters(self) -> Filters:
        """The choice of a valid form."""
        told = self.cleaned_data
        currency = told["currency"]
        return Filters(
            strategy=told["strategy"],
            symbol=told["symbol"],
            first=told["from"],
            last=told["to"],
            currency="" if currency == NO_CURRENCY else currency or None,
        )


class OverviewForm(TradesForm):
    """The parameters of the Overview's address."""

    tests = forms.ChoiceField(
        required=False,
        choices=[("", "left out"), ("included", "included")],
        error_messages={"invalid_choice": "Say “included”, or leave it out."},
    )
    alerts = forms.ChoiceField(
        required=False,
        choices=[(str(days), str(days)) for days in ALERT_DAYS],
        error_messages={"invalid_choice": "Alerts are shown of 1, 7 or 30 days."},
    )

    def filters(self) -> Filters:
        told = self.cleaned_data
        return replace(
            super().filters(),
            with_tests=told["tests"] == "included",
            alert_days=int(told["alerts"] or ALERT_DAYS[0]),
        )
