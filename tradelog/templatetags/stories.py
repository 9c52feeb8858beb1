"""What the pages of trades and alerts tell: {% load stories %}."""

from __future__ import annotations

from django import template
from django.template import RequestContext

from tradelog.alert_builder import webhook
from tradelog.alert_messages import ALERT_MESSAGE
from trades.models import Trade
from webhooks.models import WebhookLog
from webhooks.story import AlertStory, TradeStory, story_of_alert, story_of_trade

register = template.Library()


@register.simple_tag
def trade_story(trade: Trade) -> TradeStory:
    """{% trade_story trade as story %}"""
    return story_of_trade(trade)


@register.simple_tag
def alert_story(log: WebhookLog) -> AlertStory:
    """{% alert_story log as story %}"""
    return story_of_alert(log)


@register.simple_tag(takes_context=True)
def webhook_url(context: RequestContext) -> str:
    """Where alerts are sent, dots for the token; also within what a tag renders, whose
    context has no `request` among its names.
    """
    return webhook(context.request).masked


@register.simple_tag
def alert_message() -> str:
    """The message for TradingView's alert dialog."""
    return ALERT_MESSAGE
