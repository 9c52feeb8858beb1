"""Numbers and times of a cell, in the forms that programs give them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trades.exports.numbers import decimal_mark, read_number
from trades.exports.times import Order, may_be_either, order_among, read_time
from trades.exports.unreadable import CellUnreadable

#: Up to 17 digits before the point and 18 after it.
EXACT: st.SearchStrategy[Decimal] = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.integers(-(10**27), 10**27),
    st.integers(10, 18),
)
#: What stands between thousands, and before decimals.
STYLES = st.sampled_from(
    [(",", "."), (".", ","), (" ", ","), ("\u00a0", ","), ("\u202f", ","), ("'", "."), ("", ".")]
)


def written(number: Decimal, thousands: str, mark: str) -> str:
    return f"{number:,f}".replace(",", "t").replace(".", mark).replace("t", thousands)


@given(number=EXACT, style=STYLES)
def test_a_number_comes_back_to_the_last_digit(number: Decimal, style: tuple[str, str]) -> None:
    read = read_number(written(number, *style), style[1])
    assert read == number and str(read) == str(Decimal(f"{number:f}"))


@given(numbers=st.lists(EXACT, min_size=1), style=STYLES)
def test_the_mark_is_never_mistaken_where_a_number_tells(
    numbers: list[Decimal], style: tuple[str, str]
) -> None:
    thousands, mark = style
    texts = [written(number, thousands, mark) for number in numbers]
    # One that nobody can misread.
    assert decimal_mark([*texts, f"0{mark}5"], "?") in (mark, "?")
    assert decimal_mark([f"1{thousands or 'x'}234{mark}56", f"0{mark}25"], "?") == mark
    assert decimal_mark([f"5{mark}25%"], "?") == mark


@given(number=EXACT)
def test_a_workbooks_number_is_its_shortest_decimal(number: Decimal) -> None:
    read = read_number(float(number), ".") if abs(number) < 10**15 else None
    assert read is None or float(read) == float(number)


@given(text=st.text(max_size=12))
def test_any_text_is_a_number_or_unreadable(text: str) -> None:
    with suppress(CellUnreadable):
        assert read_number(text, ".").is_finite()


@pytest.mark.parametrize(
    ("text", "mark", "number"),
    [
        ("1,234,567.5", ".", "1234567.5"),
        ("1.234.567,5", ",", "1234567.5"),
        ("−12,5", ",", "-12.5"),
        ("+0.5 USDT", ".", "0.5"),
        ("€ 12,50", ",", "12.50"),
        ("2.5e-7", ".", "2.5E-7"),
        (".5", ".", "0.5"),
        # In brackets below 0, as accountants write it.
        ("(10.00)", ".", "-10.00"),
        ("($10.00)", ".", "-10.00"),
        ("$(10.00)", ".", "-10.00"),
        ("(10.00 USD)", ".", "-10.00"),
        ("(10.00) USD", ".", "-10.00"),
        ("( 1.234,5 € )", ",", "-1234.5"),
        ("（10）", ".", "-10"),  # noqa: RUF001
    ],
)
def test_numbers(text: str, mark: str, number: str) -> None:
    assert read_number(text, mark) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        "1,23", "12,34,567", "1.2.3", "1 2", "--5", "1,2345", "0x10", "1e999", "inf", "nan", "١٢",
        "(10.00", "10.00)", "((10.00))", "(-10.00)", "-(10.00)", "()", "($)", ")10.00(", "[10.00]",
        "<10.00>", "10.00-",
    ],
)  # fmt: skip
def test_no_numbers(text: str) -> None:
    with pytest.raises(CellUnreadable):
        read_number(text, ".")


@pytest.mark.parametrize(
    "suffix",
    [
        "K", "k", " M", "MM", "mn", " Mio", " Mio.", "mln", "B", "bn", "T", "tr", " тыс.", "млн",
        "万", "億", "亿", "千", "百万", "만", "Ｋ", "K$", "M€", "KUSD", " K USD", "万円",  # noqa: RUF001
        " тыс. руб.", "Mrd", "TEUR", "cr", "L", "%", " %", "％", "‰",  # noqa: RUF001
    ],
)  # fmt: skip
def test_no_digits_are_left_out(suffix: str) -> None:
    for text in (f"1.25{suffix}", f"100{suffix}", f"(2.5{suffix})", f"(2.5){suffix}"):
        with pytest.raises(CellUnreadable, match=r"thousands|share"):
            read_number(text, ".")
    with pytest.raises(CellUnreadable, match="share"):
        read_number("%5", ".")


@pytest.mark.parametrize(
    "currency",
    [
        "KRW", "KWD", "KZT", "KES", "Kč", "kr", "KM", "MXN", "MX$", "MAD", "MYR", "MUR", "MDL",
        "BTC", "BRL", "Bs", "Br", "BNB", "BUSD", "THB", "TRY", "TL", "TUSD", "Tk", "TSh", "₸", "₺",
        "USDT", "US$", "R$", "NT$", "€", "$", "£", "¥", "円", "元", "원", "₽", "руб",  # noqa: RUF001
        "zł", "Lei", "CHF",
    ],
)  # fmt: skip
def test_a_currency_is_no_magnitude(currency: str) -> None:
    assert read_number(f"1.25 {currency}", ".") == Decimal("1.25")
    assert read_number(f"{currency} 1.25", ".") == Decimal("1.25")


@pytest.mark.parametrize("sign", ["K", "L", "M", "B$", "T$"])
def test_what_stands_before_a_number_is_a_currency(sign: str) -> None:
    assert read_number(f"{sign} 1.25", ".") == Decimal("1.25")


@pytest.mark.parametrize("value", [True, None, b"1", date(2025, 1, 1)])
def test_no_numbers_of_a_workbook(value: object) -> None:
    with pytest.raises(CellUnreadable):
        read_number(value, ".")


MINUTES = st.datetimes(
    min_value=datetime.fromisoformat("2000-01-01"), max_value=datetime.fromisoformat("2099-12-31")
).map(lambda time: time.replace(second=0, microsecond=0))
PATTERNS = st.sampled_from(
    [
        "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M",
        "%d/%m/%Y %H:%M", "%d-%m-%Y, %H:%M", "%d/%m/%y %I:%M %p", "%d %B %Y, %H:%M",
        "%a %d %b '%y %H:%M", "%B %d, %Y, %I:%M:%S %p", "%Y年%m月%d日 %H时%M分",
        "%Y. %m. %d. %H:%M",
    ]
)  # fmt: skip


@given(time=MINUTES, pattern=PATTERNS)
def test_a_time_comes_back(time: datetime, pattern: str) -> None:
    assert read_time(time.strftime(pattern), Order.DAY_FIRST) == time


@given(time=MINUTES)
def test_the_order_of_day_and_month(time: datetime) -> None:
    text = f"{time:%m/%d/%Y %H:%M}"
    assert read_time(text, Order.MONTH_FIRST) == time
    assert may_be_either(text) == (time.day <= 12 and time.day != time.month)
    assert Order.MONTH_FIRST in order_among([text])
    assert (Order.DAY_FIRST in order_among([text])) == (time.day <= 12)


def test_a_year_behind_a_dash_is_no_offset() -> None:
    day = datetime.fromisoformat("2026-01-05")
    for text in ("05-01-2026", "5-1-2026", "05 - 01 -2026", "5-Jan-2026"):
        assert read_time(text, Order.DAY_FIRST) == day
    assert read_time("01-05-2026", Order.MONTH_FIRST) == day
    assert may_be_either("05-01-2026") and not may_be_either("25-01-2026")


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05 14:30+01:00", "2026-01-05 14:30-0500", "2026-01-05T14:30:00 -05:00",
        "2026-01-05T14:30:00.000+0100", "05-01-2026 14:30 -0500", "05.01.2026 14h30+01:00",
        "2026-01-05T14:30:00Z", "2026-01-05 Z", "05-01-2026 14:30 GMT+1", "05-01-2026 UTC",
    ],
)  # fmt: skip
def test_a_zone_is_refused(text: str) -> None:
    with pytest.raises(CellUnreadable, match="names a zone"):
        read_time(text, Order.DAY_FIRST)


MONTHS = {
    "de": "Jan. Februar März April Mai Juni Juli Aug. September Okt. November Dez.",
    "es": "ene febrero marzo abr mayo jun julio ago. septiembre octubre nov diciembre",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "pt": "jan. fevereiro março abr mai jun jul ago set out nov dez",
    "ru": "января февр. марта апреля мая июня июля авг. сентября окт. ноября дек.",
}


@pytest.mark.parametrize("language", MONTHS)
def test_months_by_name(language: str) -> None:
    for month, name in enumerate(MONTHS[language].split(), 1):
        for text in (f"5 {name} 2026 14:30", f"5 de {name} de 2026, 14:30"):
            expected = datetime.fromisoformat(f"2026-{month:02}-05 14:30")
            assert read_time(text, Order.DAY_FIRST) == expected


@pytest.mark.parametrize(
    "text",
    [
        "5 января 2026 г., 14:30",  # noqa: RUF001
        "2026. 1. 5. 오후 2:30", "2026年1月5日 下午2:30",
        "2026/01/05 午後2:30", "5. Januar 2026 14:30 Uhr", "5 janv. 2026 à 14h30",
        "5 de enero de 2026 a las 14:30", "2026년 1월 5일 14시30분",
    ],
)  # fmt: skip
def test_times_with_words(text: str) -> None:
    expected = datetime.fromisoformat("2026-01-05 14:30")
    assert read_time(text, Order.DAY_FIRST) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "open", "14:30", "2026-13-05", "31/02/2026", "2026-01-05 25:00", "2026-01-05 14:30Z",
        "2026-01-05 14:30 UTC+2", "5 ju 2026 10:00", "2026-01-05 14:30 maybe", "12345",
    ],
)  # fmt: skip
def test_no_times(text: str) -> None:
    with pytest.raises(CellUnreadable):
        read_time(text, Order.DAY_FIRST)


@given(text=st.text(max_size=30))
def test_any_text_is_a_time_or_unreadable(text: str) -> None:
    with suppress(CellUnreadable):
        assert read_time(text, Order.DAY_FIRST).tzinfo is None
