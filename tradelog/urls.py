from django.contrib import admin
from django.urls import include, path, re_path

from tradelog.alert_builder import alert_builder, reveal_token
from tradelog.compare_export import compare_export, import_export_of, undo_import
from tradelog.correct_trade import correct_trade
from tradelog.login import log_in
from tradelog.metrics import metrics
from tradelog.overview import overview
from tradelog.time_zone_page import time_zone
from webhooks.views import ALERT_PATH, alert

admin.site.index_title = "Trades, positions, alerts"

urlpatterns = [
    re_path(ALERT_PATH, alert, name="alert"),
    path("", overview, name="overview"),
    path("alert-builder/", alert_builder, name="alert-builder"),
    path("alert-builder/token/", reveal_token, name="reveal-token"),
    path("compare-export/", compare_export, name="compare-export"),
    path("compare-export/import/", import_export_of, name="import-export-of"),
    path("compare-export/undo/<int:batch_id>/", undo_import, name="undo-import"),
    path("correct-trade/<int:trade_id>/", correct_trade, name="correct-trade"),
    path("time-zone/", time_zone, name="time-zone"),
    path("api/", include("tradelog.api.urls")),
    path("metrics", metrics, name="metrics"),
    # Before the admin's own, which it leads to.
    path("admin/login/", log_in),
    # Where the admin would lead to a row's page outside it; none has one.
    path("admin/r/<path:url>", admin.site.admin_view(admin.site.catch_all_view)),
    path("admin/", admin.site.urls),
]

handler400 = "tradelog.handlers.bad_request"
handler403 = "tradelog.handlers.forbidden"
handler404 = "tradelog.handlers.not_found"
handler500 = "tradelog.handlers.failed"
