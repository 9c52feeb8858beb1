"""The runs as one table on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tabulate import tabulate

from benchmarks.counted import Counted
from benchmarks.measured import Run, spread

_HEADERS = (
    "way", "clients", "alerts/s", "least–most", "of floor", "p50 ms", "p95 ms", "p99 ms",
    "server", "database", "load", "trips", "database", "log", "server", "database", "unwritten",
)  # fmt: skip


def table(runs: Iterable[Run], counts: Iterable[Counted] = ()) -> str:
    """Medians over the rounds; CPU, round trips, fsyncs and KB written are an alert's."""
    counted = {(one.clients, one.part): one for one in counts}
    grouped: dict[tuple[int, str], list[Run]] = {}
    for run in runs:
        grouped.setdefault((run.clients, run.part), []).append(run)
    rows = []
    for (clients, part), group in sorted(grouped.items(), key=lambda item: item[0][0]):
        throughput = spread([run.throughput for run in group])
        floor = grouped.get((clients, "floor"))
        median = _median_of(group)
        ratio = floor and throughput.median / _median_of(floor)(lambda run: run.throughput)
        rows.append(
            (
                part,
                clients,
                f"{throughput.median:,.0f}",
                f"{throughput.least:,.0f}–{throughput.most:,.0f}",
                f"{ratio:.2f}" if ratio else "",
                *(f"{median(latency):.1f}" for latency in _LATENCIES),
                *(f"{median(cpu):.2f}" for cpu in _CPU),
                *_counted(counted.get((clients, part)), median(lambda run: run.fsyncs)),
                *(f"{median(size):.1f}" for size in _SIZES),
                f"{median(lambda run: run.unwritten):.0f}",
            )
        )
    headers = [*_HEADERS]
    headers[8:11] = [f"CPU ms\n{name}" for name in _HEADERS[8:11]]
    headers[12:14] = [f"fsyncs\n{name}" for name in _HEADERS[12:14]]
    headers[14:16] = [f"KB to disk\n{name}" for name in _HEADERS[14:16]]
    return tabulate(
        rows, headers=headers, colalign=("left", *("right",) * 16), disable_numparse=True
    )


def _counted(counted: Counted | None, fsyncs: float) -> tuple[str, str, str]:
    trips = f"{counted.round_trips:.1f}" if counted else ""
    log = "" if counted is None or counted.log_fsyncs is None else f"{counted.log_fsyncs:.2f}"
    return trips, f"{fsyncs:.2f}", log


_LATENCIES: tuple[Callable[[Run], float], ...] = (
    lambda run: run.p50,
    lambda run: run.p95,
    lambda run: run.p99,
)
_CPU: tuple[Callable[[Run], float], ...] = (
    lambda run: run.server_cpu,
    lambda run: run.database_cpu,
    lambda run: run.load_cpu,
)
_SIZES: tuple[Callable[[Run], float], ...] = (
    lambda run: run.server_kb,
    lambda run: run.database_kb,
)


def _median_of(group: list[Run]) -> Callable[[Callable[[Run], float]], float]:
    return lambda figure: spread([figure(run) for run in group]).median
