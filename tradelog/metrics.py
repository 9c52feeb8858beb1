"""`GET /metrics`: what the service measures of itself, for Prometheus.

docs/metrics.md has the meaning of each name. What is counted is read from the files of all
worker processes (`metering`), what stands in the databases is asked there, once in a moment
(`tradelog.measured_state`). Neither needs the main database to be there.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Iterator
from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

import metering
from addresses import client_address, comes_from_proxy, is_in
from tradelog.measured_state import MeasuredState

_THIS_MACHINE = ("127.0.0.0/8", "::1")

_BREAKER_STATES = ("closed", "half_open", "open")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """All metrics, in the format that is asked for; 401 or 403 without the right to see them."""
    if (refusal := _refusal(request)) is not None:
        return refusal
    registry = CollectorRegistry()
    registry.register(_Counted())
    registry.register(_Processes())
    registry.register(MeasuredState())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """What to answer who may not see them; None: who asks may."""
    token = settings.METRICS_TOKEN
    allowed = settings.METRICS_ALLOWED_IPS or (() if token else _THIS_MACHINE)
    if allowed and not _comes_from(request, allowed):
        return _plain(403, "METRICS_ALLOWED_IPS has not the address this request came from.\n")
    if not token or _has_token(request, token):
        return None
    response = _plain(401, "METRICS_TOKEN is asked for: Authorization: Bearer …\n")
    response["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return response


def _comes_from(request: HttpRequest, networks: Iterable[str]) -> bool:
    """Whether a request came from there, as far as its way can be followed."""
    # Handed on by somebody we know nothing of: a tunnel or a proxy on this machine that
    # is none of TRUSTED_PROXIES would else bring in everybody.
    was_handed_on = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if was_handed_on and not comes_from_proxy(request):
        return False
    return is_in(client_address(request), networks)


def _has_token(request: HttpRequest, token: str) -> bool:
    scheme, _, told = request.headers.get("Authorization", "").partition(" ")
    told_bytes = told.strip().encode("utf-8", "surrogatepass")
    return hmac.compare_digest(told_bytes, token.encode()) and scheme.lower() == "bearer"


def _plain(status: int, text: str) -> HttpResponse:
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")


class _Counted(Collector):
    """What the processes of this server have counted, summed up."""

    def collect(self) -> Iterator[Metric]:
        found: Iterable[Metric] = metering.registry.collect()
        if metering.FOLDER:
            files: Collector = MultiProcessCollector(None, metering.FOLDER)  # type: ignore[no-untyped-call]
            found = files.collect()
        for metric in found:
            if metric.name == "tradelog_breaker_open_until":
                yield breaker_states([sample.value for sample in metric.samples])
            else:
                yield metric


def breaker_states(open_until: Iterable[float]) -> Metric:
    """How many processes have their breaker in which state.

    Half open: the main database was away, and whoever needs it next asks first. A process
    with nothing to do may stay so long after it is back.
    """
    now = time.time()
    states = ["closed" if not until else "open" if until > now else "half_open"
              for until in open_until]  # fmt: skip
    family = GaugeMetricFamily(
        "tradelog_breaker_workers",
        "Worker processes by the state of their circuit breaker for the main database.",
        labels=("state",),
    )
    for state in _BREAKER_STATES:
        family.add_metric((state,), states.count(state))
    return family


class _Processes(Collector):
    """The library's own numbers of a process, for each worker: `process_*{worker="0"}`."""

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for place, process in sorted(metering.processes().items()):
            # Nothing, where it has just died.
            collector = ProcessCollector(pid=partial(int, process), registry=None)
            for metric in collector.collect():
                family = families.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                for sample in metric.samples:
                    family.samples.append(sample._replace(labels={"worker": place}))
        yield from families.values()
