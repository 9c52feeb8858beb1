"""Numbers as people's programs write them: 1,234.5 and 1.234,5 and 1 234,5."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final

from trades.exports.unreadable import CellUnreadable, shown
from trades.numeric import DECIMALS, DIGITS

#: Characters a number may take, with its currency.
_LONGEST: Final = 60

_SIGNS: Final = str.maketrans("−–‒﹣－（）", "-----()")  # noqa: RUF001
_SPACE_OR_APOSTROPHE: Final = re.compile(r"(?<=\d)[\s'’](?=\d{3}(?!\d))")  # noqa: RUF001
#: A currency's sign or code, or what `read_number` refuses; nothing that may tell a minus.
_CURRENCY: Final = r"[^\d\s.,+()<>\[\]{}-]{1,5}"
_AROUND: Final = re.compile(rf"(?:{_CURRENCY}\s?)?(.*?)(?:\s?{_CURRENCY})?", re.DOTALL)
#: What stands behind a number of which digits were left out, in small letters.
_THOUSANDS_OR_MORE: Final = (
    "k m b t l mm mn mi mil mill mio mln mlyn mld mlrd mlr md mrd bi bn bio bil bill bln tn tr tri "
    "trn trln tsd thou cr crore lac lakh rb jt tỷ к м т тыс тис млн млрд трлн"
).replace(" ", "|")
#: A currency may follow at once, but BUSD and TUSD are currencies themselves.
_MAGNITUDE: Final = re.compile(
    rf"(?!busd|tusd)(?:{_THOUSANDS_OR_MORE})"
    r"(?:us|usd[tc]?|eur|gbp|jpy|chf|rub|руб|[円元원₽$€£¥])?"  # noqa: RUF001
    r"|.*[百千万萬億亿兆천만억조].*"
)
_SHARE: Final = re.compile("[%‰‱٪]")
_PLAIN: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def decimal_mark(texts: Iterable[str], presumed: str) -> str:
    """What stands before the decimals in these numbers, "." or ","; both never do in one file.

    `presumed` is said where none of them tells.
    """
    votes = {".": 0, ",": 0}
    for text in texts:
        if not ("." in text or "," in text) or len(text) > _LONGEST:
            continue
        if (mark := _mark_told_by(_bare(text))) is not None:
            votes[mark] += 1
    if votes["."] == votes[","]:
        return presumed
    return max(votes, key=votes.__getitem__)


def _mark_told_by(text: str) -> str | None:
    points, commas = text.count("."), text.count(",")
    if points and commas:
        return "." if text.rindex(".") > text.rindex(",") else ","
    if points + commas == 0:
        return None
    mark, other = (".", ",") if points else (",", ".")
    if points + commas > 1:
        return other
    whole, _, decimals = text.lstrip("+-").partition(mark)
    groups = len(decimals) == 3 and 1 <= len(whole) <= 3 and not whole.startswith("0")
    return None if groups else mark


def read_number(value: object, mark: str, *, certain: bool = True) -> Decimal:
    """The number a cell holds, exact; raises CellUnreadable.

    Unless `certain`, nothing in the file told that `mark` stands before the decimals,
    and what could be a group of thousands is refused.
    """
    match value:
        case bool():
            raise CellUnreadable(f"{shown(value)} is no number")
        case int() | float():
            # A cell holds the nearest binary number; its shortest decimal is what was written.
            return _checked(repr(value), value)
        case str() if len(value) <= _LONGEST:
            _refuse_magnitude(value)
            return _checked(_with_point(value, mark, certain=certain), value)
    raise CellUnreadable(f"{shown(value)} is no number")


def _refuse_magnitude(text: str) -> None:
    """1.25K is not 1.25, and seldom 1250 either; 5% is no amount."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if _SHARE.search(plain):
        raise CellUnreadable(f"{shown(text)} is a share and no amount")
    behind = re.sub(r"[\s.,()+-]", "", re.split(r"\d", plain)[-1])
    if _MAGNITUDE.fullmatch(behind):
        raise CellUnreadable(
            f"{shown(text)} is told in thousands or more, and digits may be left out; export "
            "whole numbers"
        )


def _with_point(text: str, mark: str, *, certain: bool) -> str:
    bare = _bare(text)
    other = "," if mark == "." else "."
    if other in bare:
        groups = re.fullmatch(rf"[+-]?\d{{1,3}}(?:\{other}\d{{3}})+(?:\{mark}\d*)?", bare, re.ASCII)
        if not groups:
            raise CellUnreadable(f"{shown(text)} is no number with “{mark}” before its decimals")
        if not certain and mark not in bare and bare.count(other) == 1:
            raise CellUnreadable(
                f"{shown(text)} may be a thousand times {bare.replace(other, mark)}; no number in "
                "the file tells which. Export it once more with two decimals"
            )
        bare = bare.replace(other, "")
    return bare.replace(mark, ".")


def _bare(text: str) -> str:
    """A number without the currency around it and without spaces or apostrophes in it.

    In brackets it is below 0, as accountants write it.
    """
    text = text.translate(_SIGNS).strip()
    if not _PLAIN.fullmatch(text):
        text = _without_currency(text)
        if text.startswith("(") and text.endswith(")"):
            text = "-" + _without_currency(text[1:-1].strip())
    return _SPACE_OR_APOSTROPHE.sub("", text)


def _without_currency(text: str) -> str:
    around = _AROUND.fullmatch(text)
    return around[1] if around else text


def _checked(text: str, value: object) -> Decimal:
    try:
        number = Decimal(text) if _PLAIN.fullmatch(text) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise CellUnreadable(f"{shown(value)} is no number")
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if number and (number.adjusted() >= DIGITS or exponent < -DECIMALS):
        raise CellUnreadable(
            f"{shown(value)} has more than {DIGITS} digits before the point, or {DECIMALS} after it"
        )
    return number
