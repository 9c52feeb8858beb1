"""Compares a list of trades that TradingView exported with the trades of one book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from trades.comparison.bars import Bar, entered_with
from trades.comparison.groups import TradeGroup, taken_together
from trades.comparison.matching import Pair, match
from trades.comparison.tolerances import A_DAY, Tolerances
from trades.comparison.zones import ZoneFit, ZoneSearch, instants, zone_named
from trades.exports.exported import Export
from trades.exports.unreadable import shown
from trades.models import ImportBatch, Strategy
from webhooks.export_book import is_symbol, never_happened, our_groups, symbols_meant, symbols_of
from webhooks.export_causes import STILL_TO_COME, Cause, Causes
from webhooks.snapshot import one_moment


class NotComparable(Exception):
    """What the export is to be compared with, or its time zone, cannot be told."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for; what is None is found from the trades."""

    strategy: str | None = None
    symbol: str | None = None
    time_zone: str | None = None
    tolerances: Tolerances = field(default_factory=Tolerances)


@dataclass(frozen=True, slots=True)
class Setting:
    """What an export is compared with, and in which zone."""

    strategy: Strategy
    symbol: str
    #: Whether the book was named; else it is the one whose trades fit.
    book_was_named: bool
    zone: tzinfo
    zone_name: str
    zone_was_named: bool
    #: The zone that fits best; None where no trade fits in any.
    fit: ZoneFit | None
    #: Trades of the sample that fit in the zone that is used.
    fitted: int
    #: Whether dates without a clock are compared to a day, so that no zone is needed, nor found.
    by_day: bool

    @property
    def compared_in(self) -> tzinfo:
        """The zone that the list's times are taken for to compare them."""
        return UTC if self.by_day else self.zone

    @property
    def zone_is_sure(self) -> bool:
        found = not self.by_day and self.fit is not None and self.fit.is_sure
        return self.zone_was_named or found


@dataclass(frozen=True, slots=True)
class Missing:
    """A trade that TradingView lists and that is not here."""

    theirs: TradeGroup
    cause: Cause
    #: Ours of its side that were entered when it was, or in its bar at its price, and match
    #: nothing, or were corrected to 0: its contracts may be among theirs.
    entered: tuple[TradeGroup, ...]

    @property
    def left_out(self) -> str:
        """Why it is not to be imported, for a trader; "" where it is."""
        if self.theirs.exit_time is None:
            return "still open"
        if self.cause.kind in STILL_TO_COME:
            return "may still come from the log"
        return "entered here already" if self.entered else ""

    @property
    def sentence(self) -> str:
        """The likely cause, and that its entry is here."""
        if not self.entered:
            return self.cause.sentence
        return f"{self.cause.sentence} Not to be imported: what was entered then is here."


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an export and a book have in common, and what not."""

    export: Export
    setting: Setting
    tolerances: Tolerances
    matched: list[Pair]
    differing: list[Pair]
    missing_here: list[Missing]
    #: Ours that TradingView does not list.
    missing_there: list[TradeGroup]
    #: Ours from before the export's first entry or after its last row.
    outside: list[TradeGroup]
    #: How long the bars of the chart may be.
    bar: Bar

    @property
    def is_clean(self) -> bool:
        return self.is_clean_but_for(None)

    def is_clean_but_for(self, batch: ImportBatch | None) -> bool:
        """Whether nothing is left to do, once the batch has brought in what was missing."""
        left = len(self.missing_here) - (batch.count if batch else 0)
        return not (self.differing or left or self.missing_there)

    @property
    def importable(self) -> list[TradeGroup]:
        found = [missing.theirs for missing in self.missing_here if not missing.left_out]
        if not self.setting.by_day:
            return found
        return [_since_midnight(group, self.setting.zone) for group in found]


def compare(export: Export, choice: Choice) -> Comparison:
    """Compare an export with the book and in the zone that were chosen, or that fit.

    Changes nothing. Raises NotComparable.
    """
    with one_moment():
        return compare_in(export, setting_of(export, choice), choice.tolerances)


def setting_of(export: Export, choice: Choice) -> Setting:
    """Find what was not named; raises NotComparable."""
    if not export.trades:
        raise NotComparable("The list has no trades.")
    search = ZoneSearch(export.trades, choice.tolerances)
    strategy, symbol, was_named = _book(choice, search)
    ours = our_groups(strategy, symbol)
    fit = search.best(ours)
    by_day = export.tells_dates_alone and choice.tolerances.time >= A_DAY
    name = choice.time_zone or (fit.name if fit and not by_day else "UTC")
    try:
        zone = zone_named(name)
    except ValueError as error:
        raise NotComparable(str(error)) from None
    fitted = search.fitted(UTC if by_day else zone, ours)
    named = choice.time_zone is not None
    return Setting(strategy, symbol, was_named, zone, name, named, fit, fitted, by_day)


def _book(choice: Choice, search: ZoneSearch) -> tuple[Strategy, str, bool]:
    strategies = Strategy.objects.all()
    if choice.symbol is not None and not is_symbol(choice.symbol):
        raise NotComparable(f"{shown(choice.symbol)} is no symbol, such as NASDAQ:AAPL.")
    if choice.strategy is not None:
        strategies = strategies.filter(name=choice.strategy)
        if not strategies:
            raise NotComparable(f"There is no strategy {choice.strategy}.")
        if choice.symbol is not None:
            if meant := symbols_meant(strategies[0], choice.symbol):
                raise NotComparable(
                    f"{choice.strategy} has neither trades nor alerts on {choice.symbol} here; it "
                    f"has on {', '.join(meant)}. Name the symbol as it is here."
                )
            return strategies[0], choice.symbol, True
    fits: list[tuple[int, Strategy, str]] = []
    for strategy in strategies:
        for symbol in sorted(symbols_of(strategy)):
            if choice.symbol in (None, symbol) and (
                fit := search.best(our_groups(strategy, symbol))
            ):
                fits.append((fit.fitted, strategy, symbol))
    fits.sort(key=lambda one: -one[0])
    if not fits:
        raise NotComparable(
            "No trade here is like one of the export's, so it cannot be told whose they are; "
            "name the strategy and the symbol."
        )
    (best, strategy, symbol), *others = fits
    if others and others[0][0] * 2 > best:
        listed = ", ".join(f"{one.name} on {its} ({fitted})" for fitted, one, its in fits[:10])
        raise NotComparable(
            f"The export's trades fit several books: {listed}. Name the strategy and the symbol."
        )
    return strategy, symbol, False


def compare_in(export: Export, setting: Setting, tolerances: Tolerances) -> Comparison:
    """Compare an export with a book, in a zone; raises NotComparable."""
    ours = our_groups(setting.strategy, setting.symbol)
    theirs = _their_groups(export, setting, ours, tolerances)
    bar = Bar.of(theirs)
    begins, ends = _period(export, setting, tolerances)
    matching = match(theirs, taken_together(_as_of(ends, ours)), tolerances)
    unmatched = [
        *(pair.ours for pair in matching.differing),
        *matching.only_ours,
        *never_happened(setting.strategy, setting.symbol),
    ]
    entered = entered_with(matching.only_theirs, unmatched, tolerances, bar)
    inside = [group for group in matching.only_ours if begins <= group.entry_time <= ends]
    causes = Causes(
        setting.strategy.name,
        setting.symbol,
        matching.only_theirs,
        # The alert of another day, at another price, is no cause.
        replace(tolerances, time=Tolerances().time) if setting.by_day else tolerances,
        bar,
    )
    return Comparison(
        export,
        setting,
        tolerances,
        matching.matched,
        matching.differing,
        [
            Missing(group, causes.of(group), ours_then)
            for group, ours_then in zip(matching.only_theirs, entered, strict=True)
        ],
        inside,
        [group for group in matching.only_ours if not begins <= group.entry_time <= ends],
        bar,
    )


def _their_groups(
    export: Export, setting: Setting, ours: Sequence[TradeGroup], tolerances: Tolerances
) -> list[TradeGroup]:
    known = sorted(time for group in ours for time in (group.entry_time, group.exit_time) if time)
    groups = []
    for trade in export.trades:
        # What is open has no exit to go by.
        left = trade.exit_time or trade.entry_time
        entry, leaving = instants(
            trade.entry_time, left, setting.compared_in, known, tolerances.time
        )
        if leaving < entry:
            raise NotComparable(
                f"The exit of trade {trade.number} comes before its entry, and in "
                f"{setting.zone_name} clocks did not go back between them. If that is not the "
                "chart's time zone, name it."
            )
        groups.append(
            TradeGroup(
                trade.direction,
                entry,
                trade.entry_price,
                trade.exit_time and leaving,
                trade.exit_price,
                trade.quantity,
                trade.pnl,
                trade.commission,
                trades=(trade.number,),
            )
        )
    return taken_together(groups)


def _since_midnight(group: TradeGroup, zone: tzinfo) -> TradeGroup:
    """A trade between two dates, from where they begin in this zone."""

    def begins(date: datetime) -> datetime:
        return date.replace(tzinfo=zone).astimezone(UTC)

    left = group.exit_time and begins(group.exit_time)
    return replace(group, entry_time=begins(group.entry_time), exit_time=left)


def _period(export: Export, setting: Setting, tolerances: Tolerances) -> tuple[datetime, datetime]:
    """From the export's first entry to its last row."""
    assert export.last_time is not None
    begins = export.trades[0].entry_time.replace(tzinfo=setting.compared_in).astimezone(UTC)
    ends = export.last_time.replace(tzinfo=setting.compared_in, fold=1).astimezone(UTC)
    # A day later the next one begins.
    within = tolerances.time - timedelta.resolution if setting.by_day else tolerances.time
    return begins - within, ends + within


def _as_of(moment: datetime, groups: Sequence[TradeGroup]) -> list[TradeGroup]:
    """What was closed later was open at that moment."""
    return [
        replace(group, exit_time=None, exit_price=None, pnl=None)
        if group.exit_time is not None and group.exit_time > moment
        else group
        for group in groups
    ]
