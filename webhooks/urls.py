from django.urls import re_path

from webhooks.views import AlertView

# The last slash is optional: a redirect would make TradingView lose the alert.
urlpatterns = [
    re_path(r"^$", AlertView.as_view(), name="alert"),
    re_path(r"^(?P<token>[^/]+)/?$", AlertView.as_view(), name="alert-with-token"),
]
