"""The message in a mail: in text or HTML, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from positions.models import Lot
from tests.alerts import Poster, alert
from tests.environment import TOKEN
from tests.leaks import leaks
from tests.mail.imap import MailServer
from tests.mail.mails import (
    ACCOUNT,
    HEADERS,
    in_html,
    mail,
    with_headers,
)
from wal.models import Entry
from webhooks.mail.letter import read_letter
from webhooks.mail.mailbox import Mailbox
from webhooks.mail.refused import Refused
from webhooks.models import WebhookLog

Ingest = Callable[..., str]
MESSAGE = json.dumps(alert(), indent=2)


def built(message: EmailMessage) -> bytes:
    """A mail of TradingView's with this content."""
    headers = {**HEADERS, "Date": "Mon, 05 Jan 2026 14:30:02 +0000", "Message-ID": "<1@x>"}
    return with_headers(message.as_bytes(), dict(headers))


def read(raw: bytes) -> dict[str, Any]:
    """The message that is found in a mail."""
    found: dict[str, Any] = json.loads(read_letter(raw, ACCOUNT).body)
    return found


@pytest.mark.parametrize("parts", [{"html": True}, {"plain": False}, {}], ids=str)
@pytest.mark.parametrize("indent", [None, 2])
def test_text_and_html(parts: dict[str, Any], indent: int | None) -> None:
    told = alert(comment="Größe < 5 & \"x\" 'y'")
    message = json.dumps(told, indent=indent, ensure_ascii=False)
    assert read(mail(message, **parts)) == told


def test_an_order_in_html_is_the_one_that_was_posted(
    post: Poster, mails: MailServer, ingest: Ingest
) -> None:
    told: dict[str, Any] = {"strategy": "Größe & <b>", "time": None}
    post(**told)
    mails.deliver(mail(sent_at=datetime.now(UTC), plain=False, **told))
    assert "1 known" in ingest()
    assert Lot.objects.count() == 1


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
@pytest.mark.parametrize("cte", ["base64", "quoted-printable"])
def test_encodings(charset: str, cte: str) -> None:
    told = alert(strategy="Größe")
    content = EmailMessage()
    content.set_content(json.dumps(told, ensure_ascii=False), charset=charset, cte=cte)
    assert read(built(content)) == told


def test_attachments_and_mails_within_are_not_looked_at() -> None:
    other = json.dumps(alert(symbol="OTHER"))
    content = EmailMessage()
    content.set_content(MESSAGE)
    content.add_attachment(other, filename="a.json")
    content.add_attachment(other.encode(), maintype="application", subtype="json")
    content.add_attachment(message_from_bytes(mail(symbol="OTHER"), policy=modern))
    assert read(built(content)) == alert()


def test_nested_parts() -> None:
    content = EmailMessage()
    content.set_content("see the HTML")
    content.add_alternative(in_html(MESSAGE), subtype="html")
    html = list(content.iter_parts())[1]
    assert isinstance(html, EmailMessage)
    html.add_related(b"GIF89a", "image", "gif", cid="<logo>")
    content.make_mixed()
    assert read(built(content)) == alert()


def test_a_message_that_is_there_twice_is_one() -> None:
    assert read(mail(f"{MESSAGE}\n\n{json.dumps(alert())}")) == alert()


def forwarded() -> bytes:
    """A mail that somebody sent on, as an attachment."""
    content = EmailMessage()
    content.set_content("FYI")
    content.add_attachment(message_from_bytes(mail(), policy=modern))
    return built(content)


def in_a_wrong_charset() -> bytes:
    content = EmailMessage()
    content.set_content(json.dumps(alert(strategy="Größe"), ensure_ascii=False), cte="8bit")
    return built(content).replace(b'charset="utf-8"', b'charset="ascii"')


def in_no_charset() -> bytes:
    return mail().replace(b'charset="utf-8"', b'charset="klingon"')


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (lambda: mail("BTCUSDT crossed 67,000"), "holds no message in JSON"),
        (lambda: mail('["buy"]'), "holds no message in JSON"),
        (lambda: mail('{"price": 1}'), "INVALID_PAYLOAD"),
        (lambda: mail(symbol="{{ticker}}"), "INVALID_PAYLOAD"),
        (lambda: mail(f"{MESSAGE}\n{json.dumps(alert(action='sell'))}"), "2 different messages"),
        # Without what stands around the order nobody knows whether it is a test.
        (lambda: mail(f'{{"is_test": true, "order": {MESSAGE},}}'), "braces or commas"),
        (lambda: mail(f'{{"is_test": true, "order": {MESSAGE}'), "braces or commas"),
        (lambda: mail("{" * 5000), "too many braces"),
        (lambda: mail('{"a":' * 5000), "too many braces"),
        (lambda: mail('{"a":' * 90 + "1" + "}" * 90), "not JSON that could be read"),
        (lambda: mail(comment="x" * 70_000), "more than 65,536 bytes"),
        (lambda: mail("", plain=False), "holds no message in JSON"),
        (lambda: built(EmailMessage()), "holds no message in JSON"),
        (forwarded, "holds no message in JSON"),
        (in_a_wrong_charset, "not in the character set"),
        (in_no_charset, "not in the character set"),
    ],
)
def test_junk_is_refused(raw: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_letter(raw(), ACCOUNT)


def test_what_comes_after_junk_is_read(mails: MailServer, ingest: Ingest) -> None:
    mails.deliver(mail("BTCUSDT crossed 67,000"))
    mails.deliver(mail())
    assert "1 taken whose webhook was missed, 0 known, 1 refused" in ingest(exits=1)
    assert mails.flags() == ["flagged", "seen"]
    assert Entry.objects.count() == 1


def test_parts_within_parts_without_end_are_refused() -> None:
    nested = "".join(
        f'Content-Type: multipart/mixed; boundary="{level}"\r\n\r\n--{level}\r\n'
        for level in range(3000)
    )
    headers = {**HEADERS, "Date": "Mon, 05 Jan 2026 14:30:02 +0000"}
    with pytest.raises(Refused):
        read_letter(with_headers(nested.encode(), dict(headers)), ACCOUNT)


@given(st.data())
def test_whatever_a_mail_is_it_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(mail(html=True, sent_at=datetime(2026, 1, 5, tzinfo=UTC)))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(raw) - 1))
        cut = data.draw(st.integers(0, 30))
        raw[place : place + cut] = data.draw(st.binary(max_size=12) | st.sampled_from(_NASTY))
    try:
        letter = read_letter(bytes(raw), ACCOUNT)
    except Refused:
        return
    assert letter.signal.symbol


_NASTY = (b"{", b"}", b"\r\n", b"\r\n\r\n", b"<", b"&#x110000;", b"=?utf-8?b?x?=", b'"', b"(", b";")


def test_an_enormous_mail_is_never_fetched_whole(
    mails: MailServer, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []
    read = Mailbox.read

    def reading(*given: Any) -> bytes | None:
        raw = read(*given)
        lengths.append(len(raw or b""))
        return raw

    monkeypatch.setattr(Mailbox, "read", reading)
    mails.deliver(mail(comment="x" * 300_000))
    assert "more than 262,144 bytes" in ingest(exits=1)
    assert lengths == [262_145]


def test_a_token_in_a_mail_is_never_kept(
    mails: MailServer, ingest: Ingest, capsys: pytest.CaptureFixture[str]
) -> None:
    mails.deliver(mail(token=TOKEN, comment=f"mine: {TOKEN}"))
    mails.deliver(mail(token=TOKEN, price="nonsense", strategy=TOKEN))
    said = ingest(exits=1)
    assert "***" in WebhookLog.objects.get().payload
    assert leaks(TOKEN) == []
    assert TOKEN not in said + "".join(capsys.readouterr())
