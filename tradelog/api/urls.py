from django.urls import include, path
from django.views.generic import RedirectView
from rest_framework.routers import SimpleRouter

from tradelog.api.page import SchemaView, api_page
from tradelog.api.statistics import StatisticsView
from tradelog.api.views import AlertRows, LotRows, StrategyRows, TradeRows

router = SimpleRouter(use_regex_path=False)
router.register("trades", TradeRows, basename="api-trade")
router.register("positions", LotRows, basename="api-position")
router.register("alerts", AlertRows, basename="api-alert")
router.register("strategies", StrategyRows, basename="api-strategy")

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="api-page"), name="api"),
    path("docs/", api_page, name="api-page"),
    path("schema/", SchemaView.as_view(), name="api-schema"),
    path("statistics/", StatisticsView.as_view(), name="api-statistics"),
    path("", include(router.urls)),
]
