"""What TradingView calls the columns and the kinds of rows of its "List of trades".

It writes them in the language of its page. English, German, Spanish, Japanese, Korean,
Russian and Chinese stand here as exports have them, of the present format and of older
ones; the rest as TradingView's pages translate the same words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import Enum
from functools import cache, lru_cache
from typing import Final

from trades.direction import Direction


class Column(Enum):
    """A column that is read; its value is how an error calls it."""

    NUMBER = "the trade's number"
    TYPE = "the type"
    TIME = "date and time"
    SIGNAL = "the signal"
    PRICE = "the price"
    QUANTITY = "the quantity"
    PNL = "the profit"
    COMMISSION = "the commission"


REQUIRED: Final = frozenset(Column) - {Column.PNL, Column.COMMISSION}
#: Those whose name ends in the quote currency.
_WITH_CURRENCY: Final = (Column.PRICE, Column.PNL, Column.COMMISSION)

#: By language; capitals, accents and punctuation do not matter.
HEADERS: Final[Mapping[str, Mapping[Column, tuple[str, ...]]]] = {
    "en": {
        Column.NUMBER: ("Trade #", "Trade number", "Trade no."),
        Column.TYPE: ("Type",),
        Column.TIME: ("Date and time", "Date/Time"),
        Column.SIGNAL: ("Signal",),
        Column.PRICE: ("Price",),
        Column.QUANTITY: ("Size (qty)", "Position size (qty)", "Contracts", "Quantity", "Qty"),
        Column.PNL: ("Net P&L", "Net PnL", "Profit", "Net profit", "P&L"),
        Column.COMMISSION: ("Commission",),
    },
    "de": {
        Column.NUMBER: ("Trade #", "Trade-Nr.", "Trade Nummer", "Handel #", "Handel Nr."),
        Column.TYPE: ("Typ",),
        Column.TIME: ("Datum und Uhrzeit", "Datum/Uhrzeit", "Datum/Zeit", "Datum und Zeit"),
        Column.SIGNAL: ("Signal",),
        Column.PRICE: ("Preis", "Kurs"),
        Column.QUANTITY: (
            "Größe (Menge)", "Größe (Anz.)", "Positionsgröße (Menge)", "Positionsgröße (Anz.)",
            "Kontrakte", "Menge", "Anzahl",
        ),
        Column.PNL: ("G&V netto", "Netto-G&V", "Netto G/V", "Gewinn", "Nettogewinn"),
        Column.COMMISSION: ("Kommission", "Provision", "Gebühren"),
    },
    "es": {
        Column.NUMBER: ("Trade number", "Operación #", "Número de operación", "N.º de operación"),
        Column.TYPE: ("Tipo",),
        Column.TIME: ("Fecha y hora", "Fecha/Hora"),
        Column.SIGNAL: ("Señal",),
        Column.PRICE: ("Precio",),
        Column.QUANTITY: (
            "Tamaño (cant.)", "Tamaño (cantidad)", "Tamaño de la posición (cant.)",
            "Tamaño de la posición (cantidad)", "Contratos", "Cantidad",
        ),
        Column.PNL: ("PyG netas", "G&P netas", "P&L netas", "Ganancia", "Beneficio"),
        Column.COMMISSION: ("Comisión",),
    },
    "fr": {
        Column.NUMBER: (
            "Trade #", "N° de trade", "Numéro de trade", "Trade n°", "Transaction #",
            "Numéro de transaction",
        ),
        Column.TYPE: ("Type",),
        Column.TIME: ("Date et heure", "Date/Heure"),
        Column.SIGNAL: ("Signal",),
        Column.PRICE: ("Prix",),
        Column.QUANTITY: (
            "Taille (qté)", "Taille (quantité)", "Taille de la position (qté)",
            "Taille de la position (quantité)", "Taille de position (qté)", "Contrats", "Quantité",
        ),
        Column.PNL: ("P&L net", "P&L nets", "PnL net", "G&P net", "Profit", "Bénéfice"),
        Column.COMMISSION: ("Commission",),
    },
    "ja": {
        Column.NUMBER: ("トレード番号", "トレード #", "取引番号", "取引 #"),
        Column.TYPE: ("タイプ", "種類", "種別"),
        Column.TIME: ("日時", "日付/時間", "日付/時刻", "日付と時刻"),
        Column.SIGNAL: ("シグナル",),
        Column.PRICE: ("価格",),
        Column.QUANTITY: (
            "サイズ (数量)", "ポジションサイズ (数量)", "契約数", "契約", "枚数", "数量",
        ),
        Column.PNL: ("純損益", "損益", "利益", "純利益"),
        Column.COMMISSION: ("手数料",),
    },
    "ko": {
        Column.NUMBER: ("거래 #", "거래 번호", "트레이드 #"),
        Column.TYPE: ("타입", "유형", "구분"),
        Column.TIME: ("날짜 및 시간", "날짜/시간", "일시"),
        Column.SIGNAL: ("신호", "시그널"),
        Column.PRICE: ("가격",),
        Column.QUANTITY: (
            "크기 (수량)", "사이즈 (수량)", "포지션 크기 (수량)", "포지션 사이즈 (수량)",
            "계약", "계약수", "개수", "수량",
        ),
        Column.PNL: ("순손익", "손익", "수익", "이익"),
        Column.COMMISSION: ("수수료", "커미션"),
    },
    "pt": {
        Column.NUMBER: (
            "Trade #", "Nº do trade", "Número do trade", "Negociação #", "Nº da negociação",
            "Número da negociação", "Operação #", "Número da operação",
        ),
        Column.TYPE: ("Tipo",),
        Column.TIME: ("Data e hora", "Data/Hora"),
        Column.SIGNAL: ("Sinal",),
        Column.PRICE: ("Preço",),
        Column.QUANTITY: (
            "Tamanho (qtd.)", "Tamanho (qtde.)", "Tamanho (quantidade)",
            "Tamanho da posição (qtd.)", "Tamanho da posição (qtde.)",
            "Tamanho da posição (quantidade)", "Contratos", "Quantidade",
        ),
        Column.PNL: ("L&P líquido", "P&L líquido", "PnL líquido", "L/P líquido", "Lucro"),
        Column.COMMISSION: ("Comissão",),
    },
    "ru": {
        Column.NUMBER: ("Номер сделки", "Сделка №", "Сделка #", "№ сделки"),
        Column.TYPE: ("Тип",),
        Column.TIME: ("Дата и время", "Дата/Время"),
        Column.SIGNAL: ("Сигнал",),
        Column.PRICE: ("Цена",),
        Column.QUANTITY: (
            "Размер (кол-во)", "Размер позиции (кол-во)", "Контракты", "Кол-во", "Количество",
        ),
        Column.PNL: ("Чистая ПР/УБ", "Чистые ПР/УБ", "Чистая прибыль", "ПР/УБ", "Прибыль"),
        Column.COMMISSION: ("Комиссия",),
    },
    "zh": {
        Column.NUMBER: ("交易 #", "交易编号", "交易編號"),
        Column.TYPE: ("类型", "類型"),
        Column.TIME: ("日期和时间", "日期/时间", "日期和時間", "日期與時間", "日期/時間"),
        Column.SIGNAL: ("信号", "訊號", "信號"),
        Column.PRICE: ("价格", "價格"),
        Column.QUANTITY: (
            "仓位大小 (数量)", "头寸大小 (数量)", "大小 (数量)", "规模 (数量)",
            "倉位大小 (數量)", "部位大小 (數量)", "大小 (數量)", "規模 (數量)",
            "合约", "合約", "数量", "數量",
        ),
        Column.PNL: (
            "净损益", "净盈亏", "净利润", "利润", "盈亏",
            "淨損益", "淨盈虧", "淨利潤", "獲利", "利潤",
        ),
        Column.COMMISSION: ("佣金", "手续费", "手續費"),
    },
}  # fmt: skip

#: What begins a word of a row's type, or stands anywhere in it where words are not spaced.
_ENTRY: Final = (
    "entry", "einstieg", "eintritt", "entrada", "entrée", "вход", "エントリー", "진입", "엔트리",
    "进场", "進場", "入场", "入場", "开仓", "開倉",
)  # fmt: skip
_EXIT: Final = (
    "exit", "ausstieg", "austritt", "salida", "sortie", "saída", "выход", "決済", "エグジット",
    "イグジット", "청산", "엑시트", "出场", "出場", "离场", "離場", "平仓", "平倉",
)  # fmt: skip
_LONG: Final = (
    "long", "larg", "compra", "achat", "achet", "длинн", "лонг", "ロング", "買い", "롱", "매수",
    "多头", "多頭", "做多", "看多",
)  # fmt: skip
_SHORT: Final = (
    "short", "cort", "court", "curt", "vend", "venta", "vente", "коротк", "шорт", "ショート",
    "売り", "숏", "매도", "空头", "空頭", "做空", "看空",
)  # fmt: skip

#: The signal of an open trade's exit row.
_OPEN: Final = (
    "Open", "Offen", "Geöffnet", "Abierta", "Abierto", "Ouvert", "Ouverte", "オープン", "未決済",
    "오픈", "미청산", "열림", "Aberta", "Aberto", "Открыта", "Открыт", "Открыто", "Открытая",
    "未平仓", "未平倉", "持仓中", "持倉中",
)  # fmt: skip


def plain_words(text: str) -> str:
    """Words in small letters without accents, one space between them; no punctuation."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(re.findall(r"[^\W_]+", bare))


@cache
def _known_headers() -> dict[str, tuple[Column, frozenset[str]]]:
    """What each header means, and the languages that have it."""
    known: dict[str, tuple[Column, frozenset[str]]] = {}
    for language, columns in HEADERS.items():
        for column, names in columns.items():
            for name in map(plain_words, names):
                meant, languages = known.setdefault(name, (column, frozenset()))
                assert meant is column, f"{name} means two columns"
                known[name] = column, languages | {language}
    return known


def meaning(header: str) -> tuple[Column, frozenset[str], str] | None:
    """A header's column, the languages that call it so, and the currency it ends in or ""."""
    if "%" in header:
        return None
    words = plain_words(header)
    known = _known_headers()
    if words in known:
        return *known[words], ""
    name, _, currency = words.rpartition(" ")
    if name in known and known[name][0] in _WITH_CURRENCY:
        return *known[name], currency.upper()
    return None


@lru_cache(maxsize=256)
def kind_of_row(text: str) -> tuple[bool, Direction] | None:
    """Whether a row's type is an entry, and its side; None if it does not tell both."""
    is_entry, is_exit = _tells(text, _ENTRY), _tells(text, _EXIT)
    is_long, is_short = _tells(text, _LONG), _tells(text, _SHORT)
    if is_entry == is_exit or is_long == is_short:
        return None
    return is_entry, Direction.LONG if is_long else Direction.SHORT


@lru_cache(maxsize=1024)
def means_open(signal: str) -> bool:
    """Whether an exit row with this signal says that the trade is open."""
    return plain_words(signal) in _plain(_OPEN)


def _tells(text: str, beginnings: tuple[str, ...]) -> bool:
    words = plain_words(text)
    return any(
        f" {beginning}" in f" {words}" if beginning.isascii() else beginning in words
        for beginning in _plain(beginnings)
    )


@cache
def _plain(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(plain_words, words))
