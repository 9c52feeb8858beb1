"""Metrics, read as Prometheus reads them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Measured:
    """What one scrape told: `measured("tradelog_requests_total", code="DUPLICATE")`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of all series of this name that have these labels."""
        return sum(self.by(name, **labels))

    def by(self, name: str, **labels: str) -> list[float]:
        """The value of each of them."""
        return [
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def of_each(self, name: str, label: str) -> dict[str, float]:
        """The values of a name's series, by one of their labels."""
        return {
            sample.labels[label]: sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name
        }

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of each series of this name."""
        return [
            sample.labels
            for family in self.families
            for sample in family.samples
            if sample.name == name
        ]

    @property
    def names(self) -> set[str]:
        """The names of all series."""
        return {sample.name for family in self.families for sample in family.samples}
