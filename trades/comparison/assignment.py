"""One-to-one assignment: as many pairs as can be, at the least cost in all.

Taking the cheapest pair first is not the same: it may take away the only partner that
another one has. This is the method of Jonker and Volgenant (A shortest augmenting path
algorithm for dense and sparse linear assignment problems, 1987), on whole numbers, so
that nothing is rounded. docs/decisions/0005-matching-trades.md says why it stands here and
is no library's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush, nsmallest
from typing import Final

#: Rows are first assigned by outbidding one another, so many times each on average.
_BIDS: Final = 6


def assign(costs: Sequence[Mapping[int, int]]) -> dict[int, int]:
    """Assign each row one column of its own, by the cost of each pair that may be, 0 or more.

    Among all assignments with the most pairs it is one of the least cost. Rows that get
    no column are left out. Memory grows with the pairs, not with rows × columns.
    """
    # Each row may also take a column that only it has, at a price above all others
    # together: then every row is assigned, and as few as can be to those.
    dear = 1 + sum(max(row.values(), default=0) for row in costs)
    own = 1 + max((column for row in costs for column in row), default=-1)
    solver = _Solver([{**row, own + number: dear} for number, row in enumerate(costs)])
    for row in solver.bid():
        solver.add(row)
    return {row: column for column, row in solver.row_of.items() if column < own}


class _Solver:
    """Assigns row after row; those that are assigned are so at the least cost.

    With every row and column goes a potential such that no pair costs less than its two
    together, and those that are assigned cost as much: that proves the assignment. A
    column that nobody has taken has the potential 0.
    """

    def __init__(self, costs: Sequence[Mapping[int, int]]) -> None:
        self.row_of: dict[int, int] = {}
        self._costs = costs
        self._column_of: dict[int, int] = {}
        self._row_potential = [min(row.values()) for row in costs]
        self._column_potential: dict[int, int] = {}

    def bid(self) -> list[int]:
        """Let each row take the column it would pay most for; tell which have none in the end.

        Who takes a column raises its price to where the next best is as good, so that
        others go elsewhere; who had it bids again. This assigns nearly all, fast.
        """
        waiting = deque(range(len(self._costs)))
        outbid: list[int] = []
        for _ in range(_BIDS * len(self._costs)):
            if not waiting:
                break
            row = waiting.popleft()
            (cost, column), *others = nsmallest(2, self._reduced(row))
            next_best, other = others[0] if others else (cost, column)
            if cost < next_best:
                potential = self._column_potential.get(column, 0)
                self._column_potential[column] = potential - (next_best - cost)
            elif column in self.row_of:
                column = other
            self._row_potential[row] = next_best
            owner = self.row_of.get(column)
            self.row_of[column], self._column_of[row] = row, column
            if owner is not None:
                del self._column_of[owner]
                if cost < next_best:
                    waiting.appendleft(owner)
                else:
                    outbid.append(owner)
        return [*outbid, *waiting]

    def _reduced(self, row: int) -> list[tuple[int, int]]:
        potential = self._column_potential
        return [(cost - potential.get(at, 0), at) for at, cost in self._costs[row].items()]

    def add(self, start: int) -> None:
        """Assign a row, moving others where that is cheaper: along the shortest way there is."""
        reached: dict[int, int] = {start: 0}
        settled: dict[int, int] = {}
        distance: dict[int, int] = {}
        came_from: dict[int, int] = {}
        #: By distance; among the like of it those first that are free.
        queue: list[tuple[int, bool, int]] = []
        row, so_far = start, 0
        while True:
            potential = self._row_potential[row]
            for cost, column in self._reduced(row):
                if column in settled:
                    continue
                away = so_far + cost - potential
                if column not in distance or away < distance[column]:
                    distance[column] = away
                    came_from[column] = row
                    heappush(queue, (away, column in self.row_of, column))
            so_far, is_taken, column = heappop(queue)
            while column in settled:
                so_far, is_taken, column = heappop(queue)
            if not is_taken:
                break
            settled[column] = so_far
            row = self.row_of[column]
            reached[row] = so_far
        for row, away in reached.items():
            self._row_potential[row] += so_far - away
        for taken, away in settled.items():
            potential = self._column_potential.get(taken, 0)
            self._column_potential[taken] = potential - (so_far - away)
        self._move(start, column, came_from)

    def _move(self, start: int, column: int, came_from: Mapping[int, int]) -> None:
        """Along the way that was found, give each row the column that led to it."""
        while True:
            row = came_from[column]
            left = self._column_of.get(row)
            self._column_of[row], self.row_of[column] = column, row
            if row == start:
                return
            assert left is not None
            column = left
