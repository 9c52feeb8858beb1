"""How long a strategy may be silent, by its own history and without its market's weekends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import StrategyFactory, WebhookLogFactory
from tests.watch.receiving import Receiver
from watch.models import Alarm
from watch.silence import Rhythm, Rhythms, open_time
from watch.watching import Watch

HOUR = timedelta(hours=1)
WEEKEND = frozenset({5, 6})
#: A Friday.
FRIDAY = datetime(2026, 3, 6, tzinfo=UTC)


def send(moments: Iterable[datetime], strategy: str = "Alpha", **fields: object) -> None:
    StrategyFactory(name=strategy)
    for moment in moments:
        fields = {"status": "processed", **fields}
        WebhookLogFactory(strategy=strategy, received_at=moment, **fields)


def weekdays(hours: Iterable[float], weeks: int = 3) -> list[datetime]:
    """At these hours of each weekday, of the weeks up to that Friday."""
    days = [FRIDAY - timedelta(days=back) for back in range(7 * weeks)]
    return sorted(day + hour * HOUR for day in days if day.weekday() < 5 for hour in hours)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-06T12:00", "2026-03-06T18:00", 6),
        ("2026-03-06T21:00", "2026-03-09T14:30", 17.5),
        ("2026-03-07T05:00", "2026-03-08T05:00", 0),
        ("2026-03-08T05:00", "2026-03-09T01:00", 1),
        ("2026-03-06T00:00", "2026-03-20T00:00", 240),
        ("2026-03-06T12:00", "2026-03-05T12:00", 0),
    ],
)
def test_closed_days_are_left_out(start: str, end: str, hours: float) -> None:
    begun, ended = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    assert open_time(begun, ended, WEEKEND) == hours * HOUR


def test_a_longest_gap_is_found_within_and_between_days(databases: None) -> None:
    # From 15 to 20:30 on weekdays; the longest is over night, and over the weekend.
    send(weekdays([15, 15.5, 20.5]))
    send(weekdays([1, 12, 23]), "Beta")
    send([FRIDAY + 30 * HOUR], is_test=True)
    found = Rhythms().at(FRIDAY + 40 * HOUR)
    assert found == {
        "Alpha": Rhythm(FRIDAY + 20.5 * HOUR, 18.5 * HOUR, WEEKEND),
        "Beta": Rhythm(FRIDAY + 23 * HOUR, 11 * HOUR, WEEKEND),
    }


def test_who_trades_on_sunday_evenings_is_expected_then(databases: None) -> None:
    send([*weekdays([10, 20]), FRIDAY - timedelta(days=5) + 23 * HOUR])
    (found,) = Rhythms().at(FRIDAY + 40 * HOUR).values()
    assert found.closed == {5}


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(weekdays([15]), id="enough"),
        pytest.param(weekdays([15])[-9:], id="too few"),
        pytest.param(weekdays([15, 16, 17], weeks=1), id="too short"),
        pytest.param([*[weekdays([15])[0]] * 5, *[FRIDAY] * 5], id="too few days"),
        pytest.param([moment - timedelta(days=90) for moment in weekdays([15])], id="too old"),
    ],
)
def test_little_history_tells_nothing(
    databases: None, moments: list[datetime], request: pytest.FixtureRequest
) -> None:
    send(moments)
    found = Rhythms().at(FRIDAY + 16 * HOUR).get("Alpha")
    is_known = found is not None and found.usual_gap is not None
    assert is_known == (request.node.callspec.id == "enough")


def test_what_came_since_is_known_at_once(databases: None) -> None:
    send(weekdays([10, 20]))
    rhythms = Rhythms()
    before = rhythms.at(FRIDAY + 21 * HOUR)["Alpha"]
    assert before.last == FRIDAY + 20 * HOUR
    send([FRIDAY + 21.4 * HOUR])
    send([FRIDAY + 21.3 * HOUR], "New")
    found = rhythms.at(FRIDAY + 21.5 * HOUR)
    assert found["Alpha"] == Rhythm(FRIDAY + 21.4 * HOUR, before.usual_gap, before.closed)
    assert found["New"] == Rhythm(FRIDAY + 21.3 * HOUR, None)
    assert rhythms.at(FRIDAY + 23 * HOUR)["Alpha"].usual_gap == 14 * HOUR


def test_silence_over_a_weekend_is_none(databases: None, receiver: Receiver) -> None:
    send(weekdays([15, 15.5, 20.5]))
    monday = FRIDAY + timedelta(days=3)
    watch = Watch()
    # Once and a half of 18.5 hours, without Saturday and Sunday, from Friday 20:30.
    last_moment = FRIDAY + 20.5 * HOUR + 48 * HOUR + 1.5 * 18.5 * HOUR
    for moment in (FRIDAY + 30 * HOUR, monday, monday + 15 * HOUR, last_moment):
        watch.look(moment)
    assert receiver.taken() == []
    watch.look(last_moment + timedelta(seconds=1))
    (heard,) = receiver.taken()
    assert heard.title == "tradelog: silence of Alpha"
    assert (
        "Alpha has sent no alert for 1 d 3 h (its longest gap before was 18 h 30 min; days its "
        "market is closed are left out)." in heard.text
    )
    send([last_moment + HOUR])
    watch.look(last_moment + HOUR)
    watch.look(last_moment + 2 * HOUR)
    assert [heard.title for heard in receiver.taken()] == ["tradelog: over: silence of Alpha"]
    assert Alarm.objects.get().cleared_at == last_moment + 2 * HOUR
