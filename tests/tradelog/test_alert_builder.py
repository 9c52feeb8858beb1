"""The alert builder: messages that work, tokens that stay hidden, a place to try."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.test.utils import override_settings

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.environment import BOUND_TOKEN, TOKEN
from tests.tradelog.pages import text_of
from tradelog.alert_messages import ALERT_MESSAGE, CASES, PLACEHOLDERS, filled_in
from trades.models import Strategy
from wal.models import Entry
from webhooks.models import WebhookLog
from webhooks.payload import parse

PAGE = "/alert-builder/"
REVEAL = "/alert-builder/token/"


@pytest.fixture
def looker(databases: None) -> Client:
    """Staff without any permission."""
    client = Client()
    client.force_login(User.objects.create_user("looker", is_staff=True))
    return client


def allow(permission: str) -> None:
    User.objects.get(username="looker").user_permissions.add(
        Permission.objects.get(codename=permission)
    )


def messages_of(page: Any) -> list[str]:
    shown = r'<pre tabindex="0" id="message-\d+">(.*?)</pre>'
    found = re.findall(shown, page.content.decode(), re.DOTALL)
    return [html.unescape(text) for text in found]


def try_out(client: Client, message: str, **parameters: str) -> Any:
    return client.post(PAGE, {"message": message, "read": "1", **parameters})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_message_is_read_once_it_is_filled_in(staff: Client, case: Any) -> None:
    page = staff.get(PAGE, {"case": case.name, "strategy": 'My "best" {one} \\ é'})
    texts = messages_of(page)
    assert len(texts) == len(case.messages)
    for text in texts:
        filled, _ = filled_in(text)
        signal = parse(filled.encode())
        assert signal.strategy == 'My "best" {one} \\ é'
        assert not signal.unknown
        assert signal.is_test is (case.name == "test")
        # Without it, P&L in dollars, euros and yen would be one sum.
        assert signal.currency == ("" if signal.is_test else "USDT")


@pytest.mark.parametrize(("left", "entered"), [("long", "short"), ("short", "long")])
def test_an_indicators_exit_closes_nothing_that_was_entered_since(
    post: Poster, left: str, entered: str
) -> None:
    messages = {each.title: each for case in CASES for each in case.messages}

    def send(title: str, bar: str, second: str) -> Any:
        filled, _ = filled_in(messages[title].text("Alpha"))
        times = {"time": f"2026-01-05T{bar}:00Z", "timenow": f"2026-01-05T{bar}:{second}Z"}
        return post(json.dumps(json.loads(filled) | times))["status"]

    assert send(f"Enter {left}", "14:30", "01") == "processed"
    # They came the other way round.
    assert send(f"Enter {entered}", "14:45", "02") == "processed"
    assert send(f"Exit {left}", "14:45", "01") == "parked"
    still = Lot.objects.get(status="open")
    assert (still.direction, still.quantity) == (entered, 1)
    assert send(f"Exit {entered}", "15:00", "01") == "processed"
    assert not Lot.objects.filter(status="open").exists()


def test_what_a_plot_without_a_number_does_is_said_beside_its_message(
    staff: Client, post: Poster
) -> None:
    page = staff.get(PAGE, {"case": "stops"})
    assert "Both need a number on every bar, 0 where there is none: plot(nz(stop))" in text_of(page)
    [message] = messages_of(page)
    for shown, http in (("NaN", 400), ("0", 200)):
        filled, _ = filled_in(message.replace("{{plot_0}}", shown))
        assert post(filled).http == http


def test_no_placeholder_is_left_without_a_word(staff: Client) -> None:
    explained = {placeholder.text for placeholder in PLACEHOLDERS}
    for case in CASES:
        for message in case.messages:
            assert set(re.findall(r"\{\{.*?\}\}", message.text("x"))) <= explained
    text = text_of(staff.get(PAGE))
    assert all(placeholder.meaning in text for placeholder in PLACEHOLDERS)


def test_the_usual_message_is_the_one_that_serving_prints(staff: Client) -> None:
    assert messages_of(staff.get(PAGE)) == [ALERT_MESSAGE]


def test_what_cannot_be_chosen_is_said(staff: Client) -> None:
    page = staff.get(PAGE, {"case": "options", "token": "99", "strategy": "x" * 101})
    assert page.status_code == 200
    text = text_of(page)
    assert "There are no messages for “options”." in text
    assert "There is no such token any more." in text
    assert messages_of(page) == [ALERT_MESSAGE]


def test_a_bound_token_says_for_whom_it_speaks(staff: Client) -> None:
    text = text_of(staff.get(PAGE, {"token": "2", "strategy": "Beta"}))
    assert "This token may speak for: Alpha." in text
    assert "Alerts of “Beta” would be refused with this token." in text


def test_tokens_are_never_in_the_page(staff: Client) -> None:
    typed = json.dumps(alert(token=TOKEN, comment=BOUND_TOKEN))
    for page in (staff.get(PAGE), try_out(staff, typed), try_out(staff, f"{TOKEN} is no JSON")):
        content = page.content.decode()
        assert TOKEN not in content and BOUND_TOKEN not in content
        assert "••••••••" in content
        assert "no-store" in page.headers["Cache-Control"]


def test_a_token_is_told_to_those_who_may_see_it(looker: Client) -> None:
    assert looker.post(REVEAL, {"token": "1"}).status_code == 403
    text = text_of(looker.get(PAGE))
    assert "Your user may not see tokens" in text
    assert f"“{Permission.objects.get(codename='reveal_webhooktoken')}”" in text
    allow("reveal_webhooktoken")
    answer = looker.post(REVEAL, {"token": "2"})
    assert answer.json() == {"url": f"https://testserver/webhook/{BOUND_TOKEN}/"}
    assert "no-store" in answer.headers["Cache-Control"]
    assert looker.get(REVEAL).status_code == 405
    assert "Your user may not see tokens" not in text_of(looker.get(PAGE))


def test_strategies_are_offered_to_those_who_may_view_them(looker: Client) -> None:
    Strategy.objects.create(name="Secret")
    assert "Secret" not in looker.get(PAGE).content.decode()
    allow("view_strategy")
    assert '<option value="Secret">' in looker.get(PAGE).content.decode()


def test_nobody_else_is_told(databases: None) -> None:
    client = Client()
    assert client.post(REVEAL).status_code == 302
    client.force_login(User.objects.create_user("visitor"))
    assert client.post(REVEAL).status_code == 302


@pytest.mark.parametrize("address", [PAGE, REVEAL, "/time-zone/"])
def test_forms_of_other_sites_are_refused(databases: None, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("trader"))
    assert client.post(address, {"message": "{}", "send": "1"}).status_code == 403


@override_settings(ALLOWED_HOSTS=["localhost", "127.0.0.1"])
def test_an_address_of_this_machine_is_said_to_be_one(staff: Client) -> None:
    page = staff.get(PAGE, headers={"Host": "127.0.0.1:8000"})
    text = text_of(page)
    assert "http://127.0.0.1:8000/webhook/••••••••/" in text
    assert "TradingView reaches only ports 80 and 443" in text


@override_settings(WEBHOOK_TOKENS=[])
def test_without_tokens_that_is_said(staff: Client) -> None:
    assert "WEBHOOK_TOKENS is empty" in text_of(staff.get(PAGE))
    assert staff.post(REVEAL).status_code == 404
    page = staff.post(PAGE, {"message": json.dumps(alert()), "send": "1"})
    assert page.status_code == 200 and not Entry.objects.exists()


def test_a_message_is_read_and_netted(staff: Client, post: Poster) -> None:
    post(quantity="2")
    message = json.dumps(alert(action="sell", quantity="0.5", time="2026-01-05T15:00:00Z"))
    page = try_out(staff, message)
    text = text_of(page)
    assert "Now it would reduce the position" in text
    assert "Alpha on BINANCE:BTCUSDT goes from 2 to 1.5 , closing 1 lot" in text
    assert "quantity 0.5" in text and "order's time 2026-01-05 15:00:00 UTC" in text
    # What was typed stays in its field.
    assert html.escape(message) in page.content.decode()
    assert WebhookLog.objects.count() == 1


def test_who_may_not_see_positions_is_told_none(looker: Client, post: Poster) -> None:
    post(quantity="2")
    as_seen = {"prev_market_position": "long", "prev_market_position_size": "3"}
    reduces = json.dumps(alert(action="sell", quantity="0.5", time="2026-01-05T15:00:00Z"))
    drifts = json.dumps(alert(action="sell", quantity="0.5", **as_seen))
    closes_nothing = json.dumps(alert(action="exit", quantity=None, symbol="OTHER"))
    # As the admin has it where it is given.
    refused = "the permission “Positions | position lot | Can view position lot”"
    told = ("Now it would", "NO_OPEN_POSITION", "is another than the one logged")
    for message in (reduces, drifts, closes_nothing):
        page = try_out(looker, message)
        text = text_of(page)
        assert page.status_code == 200 and refused in text
        assert "action" in text and not any(words in text for words in told)
    assert "quantity 0.5" in text_of(try_out(looker, reduces))
    assert "INVALID_JSON" in text_of(try_out(looker, "{"))
    allow("view_lot")
    for message, words in zip((reduces, closes_nothing, drifts), told, strict=True):
        text = text_of(try_out(looker, message))
        assert words in text and refused not in text


def test_nor_by_the_answer_of_a_test(looker: Client, post: Poster) -> None:
    allow("use_webhooktoken")
    post(quantity="2")
    form = {"message": json.dumps(alert(action="exit", quantity=None)), "send": "1"}
    text = text_of(looker.post(PAGE, form))
    assert "answered 200: processed" in text and '"is_test": true' in text
    assert "left out of the answer" in text and "closed" not in text
    allow("view_lot")
    text = text_of(looker.post(PAGE, form))
    assert '"action": "closed"' in text and "left out" not in text


def test_a_message_with_placeholders_is_read_with_examples(staff: Client) -> None:
    text = text_of(try_out(staff, ALERT_MESSAGE))
    assert "Placeholders were filled in with examples" in text
    assert "“My strategy” is a new strategy" in text
    assert "symbol BINANCE:BTCUSDT" in text


def test_faults_stand_by_their_fields(staff: Client) -> None:
    text = text_of(try_out(staff, json.dumps(alert(price="dear", quantity="0"))))
    assert "INVALID_PAYLOAD: 2 fields cannot be read: quantity, price" in text
    assert re.search(r"price : .dear. is no number", text), text
    assert "Paste a message first." in text_of(try_out(staff, ""))
    assert "An alert is at most 64 KiB." in text_of(try_out(staff, "x" * (64 * 1024 + 1)))


def test_a_test_is_sent_the_whole_way(staff: Client) -> None:
    page = staff.post(PAGE, {"message": json.dumps(alert()), "send": "1", "token": "1"})
    log = WebhookLog.objects.get()
    assert log.is_test and log.status == "processed" and log.token_name == "tradingview"
    assert Entry.objects.get().status == "completed"
    assert not Lot.objects.exists()
    text = text_of(page)
    assert "Sent as a test, answered 200: processed." in text
    link = f"/admin/webhooks/webhooklog/{log.pk}/change/"
    assert link in page.content.decode()
    assert staff.get(link).status_code == 200


def test_a_test_of_a_disabled_strategy_shows_the_fault(staff: Client) -> None:
    Strategy.objects.create(name="Alpha", enabled=False)
    page = staff.post(PAGE, {"message": json.dumps(alert()), "send": "1"})
    assert "Sent as a test, answered 422: failed." in text_of(page)


def test_what_cannot_be_read_is_not_sent(staff: Client) -> None:
    page = staff.post(PAGE, {"message": "{", "send": "1"})
    assert "It would be logged and rejected, so it was not sent." in text_of(page)
    assert not Entry.objects.exists()


def test_only_who_may_sends_tests(looker: Client) -> None:
    form = {"message": json.dumps(alert()), "send": "1"}
    assert looker.post(PAGE, form).status_code == 403
    assert not Entry.objects.exists()
    assert "Your user may not send tests." in text_of(looker.get(PAGE))
    allow("use_webhooktoken")
    assert "answered 200" in text_of(looker.post(PAGE, form))
