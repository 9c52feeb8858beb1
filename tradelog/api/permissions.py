"""Who may read what: as the admin has it."""

from __future__ import annotations

from django.db.models import Model
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class MayView(BasePermission):
    """Staff, with the permission to view the view's `model` if it has one."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        # None where nobody has said who they are (REST_FRAMEWORK).
        if not user or not user.is_authenticated or not user.is_staff:
            self.message = "The API is for staff: the user lacks “staff status” in the admin."
            return False
        model: type[Model] | None = getattr(view, "model", None)
        if model is None:
            return True
        needed = f"{model._meta.app_label}.view_{model._meta.model_name}"
        self.message = f"The user lacks the permission {needed}."
        return user.has_perm(needed)
