"""The alert builder: the URL and the message to paste, and a place to try a message."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from addresses import client_address
from faults import PayloadTooLarge
from tradelog import instructions
from tradelog.alert_messages import CASES, EXAMPLE_STRATEGY, PLACEHOLDERS, filled_in
from tradelog.permissions import ask_for, named
from trades.models import Strategy
from webhooks.credentials import (
    Token,
    configured_tokens,
    cut_tokens_from_text,
    may_speak_for,
)
from webhooks.rehearsal import Rehearsal, read, rehearse
from webhooks.trial import Answer, send_as_test

logger = logging.getLogger(__name__)

#: What stands where the page does not show a token.
MASK: Final = "••••••••"

_MAY_REVEAL: Final = "tradelog.reveal_webhooktoken"
_MAY_SEND: Final = "tradelog.use_webhooktoken"
_MAY_SEE_STRATEGIES: Final = "trades.view_strategy"
_MAY_SEE_POSITION: Final = "positions.view_lot"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where alerts are sent, without the token."""

    #: "https://trades.example.com/webhook/", to be followed by the token and a slash.
    base: str
    #: Whether TradingView can reach it, as far as the settings tell.
    is_public: bool

    @property
    def masked(self) -> str:
        return f"{self.base}{MASK}/"

    def with_token(self, token: Token) -> str:
        return f"{self.base}{quote(token.value, safe='')}/"


def webhook(request: HttpRequest) -> Webhook:
    """The webhook by the service's public name, else by the one it was asked by."""
    if (public := instructions.public_url()) is not None:
        return Webhook(f"{public}/webhook/", is_public=True)
    return Webhook(f"{request.scheme}://{request.get_host()}/webhook/", is_public=False)


class BuilderForm(forms.Form):
    """What the messages are for. Bad values give the usual ones, with a word about it."""

    case = forms.ChoiceField(
        required=False,
        choices=[(case.name, case.title) for case in CASES],
        error_messages={"invalid_choice": "There are no messages for “%(value)s”."},
    )
    strategy = forms.CharField(required=False, max_length=100)
    token = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "There is no such token any more."},
    )

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters)
        # By their place in the settings: names may be the same.
        self.tokens = {str(place): token for place, token in enumerate(configured_tokens(), 1)}
        self.fields["token"].choices = [  # type: ignore[attr-defined]
            (place, token.name) for place, token in self.tokens.items()
        ]

    def chosen(self) -> dict[str, Any]:
        """The case, the strategy's name and the token (None where there is none)."""
        self.is_valid()
        told = self.cleaned_data
        place = told.get("token") or next(iter(self.tokens), "")
        case = next((case for case in CASES if case.name == told.get("case")), CASES[0])
        return {
            "case": case,
            "strategy": told.get("strategy") or EXAMPLE_STRATEGY,
            "place": place,
            "token": self.tokens.get(place),
        }


class MessageForm(forms.Form):
    """A message to try."""

    message = forms.CharField(
        # What is pasted is what is read.
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        error_messages={"required": "Paste a message first."},
    )

    def clean_message(self) -> str:
        message: str = self.cleaned_data["message"]
        if len(message.encode("utf-8", "surrogatepass")) > settings.WEBHOOK_MAX_BYTES:
            raise forms.ValidationError(PayloadTooLarge().message)
        return message


@never_cache
@require_http_methods(["GET", "POST"])
@staff_member_required
def alert_builder(request: HttpRequest) -> HttpResponse:
    """The page; a POST reads the message that is pasted, and with `send` sends it as a test."""
    form = BuilderForm(request.POST if request.method == "POST" else request.GET)
    chosen = form.chosen()
    token: Token | None = chosen["token"]
    context = {
        **admin.site.each_context(request),
        "title": "Alert builder",
        "form": form,
        **chosen,
        "cases": CASES,
        "messages_to_paste": [
            (message.title, message.text(chosen["strategy"])) for message in chosen["case"].messages
        ],
        "placeholders": PLACEHOLDERS,
        "strategies": _strategies(request),
        "webhook": webhook(request),
        "may_speak": token is None or may_speak_for(token.strategies, chosen["strategy"]),
        "may_not_reveal": _lacking(request, _MAY_REVEAL),
        "may_send": request.user.has_perm(_MAY_SEND),
        "message_form": MessageForm(),
    }
    if request.method == "POST":
        context |= _tried(request, token)
    return render(request, "tradelog/alert_builder.html", context)


@never_cache
@require_POST
@staff_member_required
def reveal_token(request: HttpRequest) -> HttpResponse:
    """The webhook's URL with its token, to those who may see it."""
    ask_for(request, _MAY_REVEAL)
    token: Token | None = BuilderForm(request.POST).chosen()["token"]
    if token is None:
        return JsonResponse({"error": "WEBHOOK_TOKENS is empty."}, status=404)
    logger.info("The token %r was shown to %s", token.name, request.user)
    return JsonResponse({"url": webhook(request).with_token(token)})


def _tried(request: HttpRequest, token: Token | None) -> dict[str, Any]:
    """What is to be shown of the message that was sent here."""
    # What was typed comes back into the page: not a token of ours, who ever typed it.
    typed = cut_tokens_from_text(request.POST.get("message", ""))
    form = MessageForm({"message": typed})
    if not form.is_valid():
        return {"message_form": form}
    message, filled = filled_in(form.cleaned_data["message"])
    body = message.encode("utf-8", "surrogatepass")
    # What it would do tells the position.
    may_not_see_position = _lacking(request, _MAY_SEE_POSITION)
    rehearsal = read(body) if may_not_see_position else rehearse(body, token)
    tried = {
        "message_form": form,
        "filled": filled,
        "rehearsal": rehearsal,
        "may_not_see_position": may_not_see_position,
    }
    if "send" in request.POST:
        ask_for(request, _MAY_SEND)
        answer = _sent(request, rehearsal, body, token)
        if answer and may_not_see_position:
            # A test moves nothing: of the position it tells what the order would have done.
            answer.body.pop("action", None)
        tried["answer"] = answer and _shown(answer)
    return tried


def _strategies(request: HttpRequest) -> list[str]:
    """The names to choose from: of who may not view strategies, none."""
    if _lacking(request, _MAY_SEE_STRATEGIES):
        return []
    return list(Strategy.objects.values_list("name", flat=True))


def _lacking(request: HttpRequest, permission: str) -> str:
    """The permission's name where the user has it not, else ""."""
    return "" if request.user.has_perm(permission) else named([permission])[0]


def _sent(
    request: HttpRequest, rehearsal: Rehearsal, body: bytes, token: Token | None
) -> Answer | None:
    if rehearsal.signal is None or token is None:
        return None
    return send_as_test(
        body,
        token=token,
        address=client_address(request),
        correlation_id=request.correlation_id,  # type: ignore[attr-defined]
    )


def _shown(answer: Answer) -> dict[str, Any]:
    return {
        "http_status": answer.http_status,
        "status": answer.body["status"],
        "log_id": answer.body.get("webhook_log_id"),
        "text": json.dumps(answer.body, indent=2, ensure_ascii=False),
    }
