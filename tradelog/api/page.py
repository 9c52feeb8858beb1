"""The API's schema, and the page that shows it."""

from __future__ import annotations

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import JSONRenderer

from tradelog.api.base import ReadOnly


@extend_schema(exclude=True)
class SchemaView(ReadOnly, SpectacularAPIView):
    """The OpenAPI schema."""

    renderer_classes = [JSONRenderer]


@never_cache
@require_safe
@staff_member_required
# Swagger UI's stylesheet has its icons in it, as data: addresses. An image runs nothing.
@csp_update({"img-src": [SELF, "data:"]})
def api_page(request: HttpRequest) -> HttpResponse:
    """The paths of the API, to read and to try with the session of who is logged in."""
    context = {
        **admin.site.each_context(request),
        "title": "API",
        "can_have_tokens": request.user.has_perm("tradelog.add_apitoken"),
    }
    return render(request, "tradelog/api.html", context)
