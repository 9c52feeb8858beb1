"""Lists of trades as TradingView exports them, made of a few trades in any of its forms."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from openpyxl import Workbook

OLD: Final = (
    "Trade #,Type,Signal,Date/Time,Price USD,Contracts,Profit USD,Profit %,Cumulative profit USD,"
    "Cumulative profit %,Run-up USD,Run-up %,Drawdown USD,Drawdown %"
)
NEW: Final = (
    "Trade #,Type,Date and time,Signal,Price USDT,Position size (qty),Position size (value),"
    "Net P&L USDT,Net P&L %,Run-up USDT,Run-up %,Drawdown USDT,Drawdown %,Cumulative P&L USDT,"
    "Cumulative P&L %"
)
#: The header, the words for entry and exit of long and short, the signal of an open trade.
LANGUAGES: Final[dict[str, tuple[str, tuple[str, str, str, str], str]]] = {
    "en": (NEW, ("Entry long", "Exit long", "Entry short", "Exit short"), "Open"),
    "en, old": (OLD, ("Entry Long", "Exit Long", "Entry Short", "Exit Short"), "Open"),
    "en, newest": (
        "Trade number,Type,Date and time,Signal,Price USD,Size (qty),Size (value),Net PnL USD,"
        "Return %,Commission USD,Favorable excursion USD,Favorable excursion %,"
        "Adverse excursion USD,Adverse excursion %,Cumulative PnL USD,Cumulative PnL %,"
        "Duration (bars)",
        ("Entry long", "Exit long", "Entry short", "Exit short"),
        "Open",
    ),
    "de": (
        "Trade #,Typ,Datum und Uhrzeit,Signal,Preis USD,Größe (Menge),Größe (Wert),"
        "G&V netto USD,G&V netto %,Positive Exkursion USD,Positive Exkursion %,"
        "Negative Exkursion USD,Negative Exkursion %,Kumulativer G&V USD,Kumulativer G&V %",
        ("Long-Einstieg", "Long-Ausstieg", "Short-Einstieg", "Short-Ausstieg"),
        "Offen",
    ),
    "es": (
        "Trade number,Tipo,Fecha y hora,Señal,Precio USD,Tamaño (cant.),"
        "Tamaño de la posición (valor),PyG netas USD,PyG netas %,Desviación favorable USD,"
        "Desviación favorable %,Desviación adversa USD,Desviación adversa %,PyG acumuladas USD,"
        "PyG acumuladas %",
        ("Entrada en largo", "Salida en largo", "Entrada en corto", "Salida en corto"),
        "Abierta",
    ),
    "fr": (
        "N° de trade,Type,Date et heure,Signal,Prix EUR,Taille (qté),Taille (valeur),"
        "P&L net EUR,P&L net %,P&L cumulé EUR,P&L cumulé %",
        ("Entrée longue", "Sortie longue", "Entrée courte", "Sortie courte"),
        "Ouvert",
    ),
    "ja": (
        "トレード番号,タイプ,日時,シグナル,価格 JPY,サイズ (数量),サイズ (金額),純損益 JPY,"
        "純損益 %,最大順行幅 JPY,最大順行幅 %,最大逆行幅 JPY,最大逆行幅 %,累積損益 JPY,累積損益 %",
        ("ロングエントリー", "ロング決済", "ショートエントリー", "ショート決済"),
        "オープン",
    ),
    "ko": (
        "거래 #,타입,날짜 및 시간,신호,가격 USDT,포지션 크기 (수량),포지션 크기 (값),순손익 USDT,"
        "순손익 %,런업 USDT,런업 %,드로다운 USDT,드로다운 %,누적 손익 USDT,누적 손익 %",
        ("매수 진입", "매수 청산", "매도 진입", "매도 청산"),
        "오픈",
    ),
    "pt": (
        "Nº do trade,Tipo,Data e hora,Sinal,Preço BRL,Tamanho (qtd.),Tamanho (valor),"
        "L&P líquido BRL,L&P líquido %,L&P acumulado BRL,L&P acumulado %",
        ("Entrada comprada", "Saída comprada", "Entrada vendida", "Saída vendida"),
        "Aberta",
    ),
    "ru": (
        "Номер сделки,Тип,Дата и время,Сигнал,Цена RUB,Размер (кол-во),Размер (стоимость),"
        "Чистая ПР/УБ RUB,Чистая ПР/УБ %,Совокупная ПР/УБ RUB,Совокупная ПР/УБ %",
        (
            "Вход в длинную позицию",
            "Выход из длинной позиции",
            "Вход в короткую позицию",
            "Выход из короткой позиции",
        ),
        "Открыта",
    ),
    "zh": (
        "交易 #,类型,日期和时间,信号,价格 USDT,仓位大小（数量）,仓位大小（价值）,净损益 USDT,"  # noqa: RUF001
        "净损益 %,有利波动 USDT,有利波动 %,不利波动 USDT,不利波动 %,累计P&L USDT,累计P&L %",
        ("多头进场", "多头出场", "空头进场", "空头出场"),
        "未平仓",
    ),
    "zh, traditional and old": (
        "交易 #,類型,訊號,日期/時間,價格 USDT,合約,獲利 USDT,獲利 %",
        ("多頭進場", "多頭出場", "空頭進場", "空頭出場"),
        "未平倉",
    ),
}


@dataclass(frozen=True)
class Listed:
    """A trade to write into a list; no exit while it is open."""

    number: int
    direction: str
    quantity: Decimal
    entry_time: datetime
    entry_price: Decimal
    exit_time: datetime
    exit_price: Decimal
    pnl: Decimal = Decimal("1.25")
    is_open: bool = False


@dataclass
class Form:
    """How a list is written."""

    language: str = "en"
    #: How a number and a time are written.
    number: Callable[[Decimal], Any] = str
    time: Callable[[datetime], Any] = lambda time: f"{time:%Y-%m-%d %H:%M}"
    exit_first: bool = True
    newest_first: bool = False
    #: The columns' places, as a permutation; none: as TradingView has them.
    order: list[int] = field(default_factory=list)


def rows(trades: Iterable[Listed], form: Form) -> list[list[Any]]:
    """The header and two rows a trade."""
    header, (long_in, long_out, short_in, short_out), signal_open = LANGUAGES[form.language]
    names = next(csv.reader([header]))
    listed: list[list[Any]] = []
    for trade in sorted(trades, key=lambda one: one.number, reverse=form.newest_first):
        is_long = trade.direction == "long"
        leaving = signal_open if trade.is_open else "Close"
        pair = [
            _row(names, trade, form, long_in if is_long else short_in, "Go", is_entry=True),
            _row(names, trade, form, long_out if is_long else short_out, leaving, is_entry=False),
        ]
        listed += reversed(pair) if form.exit_first else pair
    found = [names, *listed]
    return [[row[place] for place in form.order] for row in found] if form.order else found


def _row(
    names: list[str], trade: Listed, form: Form, kind: str, signal: str, *, is_entry: bool
) -> list[Any]:
    time = trade.entry_time if is_entry else trade.exit_time
    price = trade.entry_price if is_entry else trade.exit_price
    is_old = len(names) > 3 and names[3] in ("Date/Time", "日期/時間")
    cells: list[Any] = [trade.number, kind, form.time(time), signal, form.number(price)]
    if is_old:
        cells[2:4] = [signal, form.time(time)]
    cells.append(form.number(trade.quantity))
    if not is_old:
        cells.append(form.number(trade.quantity * price))
    cells.append(form.number(trade.pnl))
    # Percentages have two decimals everywhere.
    return cells + [form.number(Decimal("0.25"))] * (len(names) - len(cells))


def as_csv(
    table: list[list[Any]], *, delimiter: str = ",", encoding: str = "utf-8", newline: str = "\r\n"
) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=newline).writerows(table)
    return text.getvalue().encode(encoding)


def as_xlsx(table: list[list[Any]], *, sheet: str = "List of trades") -> bytes:
    """A workbook as TradingView's: the list is one sheet among others."""
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = "Performance"
    first.append(["", "All USD", "All %"])
    first.append(["Net profit", 12.5, 0.1])
    sheets = book.create_sheet(sheet)
    for row in table:
        sheets.append(row)
    book.create_sheet("Properties").append(["Symbol", "BITSTAMP:BTCUSD"])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()
