"""The dashboard, the rules and the docs name metrics that there are, by labels they have."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

import metering
from tests.alerts import Poster
from tests.measured import Measured
from tests.server import ROOT
from tradelog import measured_state

RULES = ROOT / "deploy/prometheus/rules.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/tradelog.json").read_text())

#: A series as an expression selects it: its name, and its matchers if it has any.
_SELECTED = re.compile(r"\b((?:tradelog|process)_\w+)(?:\s*\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def expressions_of_rules() -> dict[str, str]:
    """By name: what each rule evaluates."""
    found: dict[str, str] = {}
    name = ""
    for line in _unfolded(RULES.read_text()):
        if named := re.match(r"\s*- (?:alert|record): (\S+)", line):
            name = named[1]
        if expression := re.match(r"\s*expr: (.*)", line):
            found[name] = expression[1]
    return found


def _unfolded(text: str) -> list[str]:
    """The lines, those of a folded value (`>-`) in one."""
    return re.sub(r">-\n((?:\s{10}.*\n)+)", lambda m: " ".join(m[1].split()) + "\n", text).split(
        "\n"
    )


def panels() -> Iterator[dict[str, Any]]:
    for panel in DASHBOARD["panels"]:
        yield panel
        yield from panel.get("panels", ())


def expressions() -> dict[str, str]:
    """Every expression of the rules and of the dashboard, by where it stands."""
    found = {f"rule {name}": expression for name, expression in expressions_of_rules().items()}
    for panel in panels():
        for target in panel.get("targets", ()):
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if "definition" in variable:
            found[f"variable {variable['name']}"] = variable["definition"]
    return found


@pytest.fixture
def measured(post: Poster, monkeypatch: pytest.MonkeyPatch) -> Measured:
    """A scrape that has every series there can be, a worker's own among them."""
    post()
    monkeypatch.setattr(metering, "processes", lambda: {"0": os.getpid()})
    for question in measured_state._QUESTIONS.values():
        question._asked_again_at = float("-inf")
    return Measured(Client().get("/metrics").text)


def test_every_expression_selects_series_there_are(measured: Measured) -> None:
    found = expressions()
    assert len(found) > 40
    given_by_prometheus = {"instance", "job"}
    for where, expression in found.items():
        selected = _SELECTED.findall(expression)
        assert selected or "tradelog:" in expression or expression.startswith("up{"), where
        for name, matchers in selected:
            series = measured.labels(name)
            assert series, f"{where}: there is no {name}"
            for label, operator, value in _MATCHER.findall(matchers):
                if label in given_by_prometheus:
                    continue
                values = {labels.get(label) for labels in series}
                assert None not in values, f"{where}: {name} has no {label}"
                for alternative in value.split("|") if value else ():
                    known = alternative in values or label == "strategy"
                    assert known, f"{where}: no {name} has {label}={alternative!r} ({operator})"


def test_every_sum_that_is_used_is_defined() -> None:
    rules = expressions_of_rules()
    used = set(re.findall(r"tradelog:[\w:]+", " ".join(expressions().values())))
    assert used == {name for name in rules if name.startswith("tradelog:")}


def test_the_docs_list_all_there_are(measured: Measured) -> None:
    listed = re.findall(
        r"^\| `((?:tradelog|process)_\w+)", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE
    )
    told = [
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in measured.families
    ]
    assert sorted(listed) == sorted(told)


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"], panel["title"]


needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs promtool (the package prometheus)"
)


@needs_promtool
@pytest.mark.parametrize(
    "asked",
    [
        ("check", "rules", "rules.yml"),
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing(asked: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *asked], cwd=RULES.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_likes_the_metrics(measured: Measured) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=measured.text, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
