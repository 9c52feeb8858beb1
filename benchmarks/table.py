"""The runs as one table on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tabulate import tabulate

from benchmarks.counted import Counted
from benchmarks.measured import Run, spread

#: Of each run, the median over the rounds is shown: its heading, its figure, its format.
_BEFORE_COUNTS: tuple[tuple[str, Callable[[Run], float], str], ...] = (
    ("p50\nms", lambda run: run.p50, ".1f"),
    ("p95\nms", lambda run: run.p95, ".1f"),
    ("p99\nms", lambda run: run.p99, ".1f"),
    ("CPU ms\nserver", lambda run: run.server_cpu, ".2f"),
    ("CPU ms\ndatabase", lambda run: run.database_cpu, ".2f"),
    ("CPU ms\nload", lambda run: run.load_cpu, ".2f"),
    ("fsyncs\ndatabase", lambda run: run.fsyncs, ".2f"),
)
_AFTER_COUNTS: tuple[tuple[str, Callable[[Run], float], str], ...] = (
    ("KB out\nserver", lambda run: run.server_kb, ".1f"),
    ("KB out\ndatabase", lambda run: run.database_kb, ".1f"),
    ("queued", lambda run: run.queued, ".0f"),
    ("unwritten", lambda run: run.unwritten, ".0f"),
    ("CPU to\nothers", lambda run: run.others, ".0%"),
)
_HEADERS = (
    *("way", "clients", "alerts/s", "least–most", "of\nfloor"),
    *(heading for heading, _, _ in _BEFORE_COUNTS),
    *("fsyncs\nlog", "round\ntrips"),
    *(heading for heading, _, _ in _AFTER_COUNTS),
)


def table(runs: Iterable[Run], counts: Iterable[Counted] = ()) -> str:
    """Medians over the rounds; CPU, fsyncs, round trips and KB written are an alert's."""
    counted = {(one.clients, one.part): one for one in counts}
    grouped: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.clients, run.part), []).append(run)
    rows = []
    for (clients, part), group in sorted(grouped.items(), key=lambda item: item[0][0]):
        throughput = spread([run.throughput for run in group])
        floor = [run.throughput for run in grouped.get((clients, "floor"), ())]
        rows.append(
            (
                part,
                clients,
                f"{throughput.median:,.0f}",
                f"{throughput.least:,.0f}–{throughput.most:,.0f}",
                f"{throughput.median / spread(floor).median:.2f}" if floor else "",
                *_medians(group, _BEFORE_COUNTS),
                *_counted(counted.get((clients, part))),
                *_medians(group, _AFTER_COUNTS),
            )
        )
    return tabulate(
        rows,
        headers=_HEADERS,
        colalign=("left", *("right",) * (len(_HEADERS) - 1)),
        disable_numparse=True,
    )


def _medians(
    group: list[Run], columns: tuple[tuple[str, Callable[[Run], float], str], ...]
) -> list[str]:
    return [
        format(spread([figure(run) for run in group]).median, written)
        for _, figure, written in columns
    ]


def _counted(counted: Counted | None) -> tuple[str, str]:
    if counted is None:
        return "", ""
    log = "" if counted.log_fsyncs is None else f"{counted.log_fsyncs:.2f}"
    return log, f"{counted.round_trips:.1f}"
