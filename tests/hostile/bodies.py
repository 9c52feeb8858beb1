"""Bodies of requests that nobody in his right mind sends, by kind."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.hostile.sending import TOKEN_HERE, Hostile

NASTY_TEXTS = st.sampled_from(
    [
        "\0", "\ud800", "\udfff\ud800", "\x1f", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff",
        "\uffff", "x" * 5000, "é" * 101, "\U0001f4a9" * 60, "a\u0301" * 300, "NaN", "-Infinity",
        "1e999999999", "-0", "0x10", "1_000", "\uff11\uff12", "\u0663", "1,5", " 1 ", "+.5",
        "{{close}}", "{{", "}}{{", "Ω", "-", "' OR 1=1 --", "<script>alert(1)</script>",
        "%s%n{0}${jndi:x}", "../../etc/passwd", "\r\n\r\n", "BINANCE:BTCUSDT:X", ":", "A\x1fB",
        TOKEN_HERE.decode(), f"x{TOKEN_HERE.decode()}\0", "null", "***", "9999-12-31T23:59:60Z",
        "2026-02-30", "0001-01-01T00:00:00+23:59", "1970", "1e17", "-1", "∞",
    ]
)  # fmt: skip
SCALARS = st.one_of(
    NASTY_TEXTS, st.text(max_size=20), st.integers(), st.floats(), st.none(), st.booleans()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["data", "order"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        "strategy", "strategy_name", "name", "bot_id", "symbol", "ticker", "exchange", "action",
        "side", "data", "signal", "signal_type", "signalType", "market_position", "position",
        "direction", "market_position_size", "position_size", "prev_market_position",
        "prev_market_position_size", "quantity", "qty", "contracts", "price", "close", "time",
        "timenow", "bar_time", "order_id", "id", "pnl", "commission", "currency", "interval",
        "comment", "stop_loss", "take_profit", "is_test", "idempotency_key", "nonce", "token",
        "key", "secret", "order", "strategy.order.price", "PRICE", "S y m-b.o_l", "unheard-of",
        "\0", "\ud800", "", "__proto__", "__class__", TOKEN_HERE.decode(),
    ]
)  # fmt: skip
ACTIONS = st.sampled_from(
    ["buy", "sell", "exit", "close_long", "Long", "flat", "entry", "cover", "close_short"]
)
BOOKS = st.sampled_from(["BTC", "ETH", "ES1!", "BINANCE:BTCUSDT"])


@st.composite
def orders(draw: st.DrawFn) -> dict[str, object]:
    """An order there is nothing against."""
    return {
        "symbol": draw(BOOKS),
        "action": draw(ACTIONS),
        "price": draw(st.decimals("0.01", "100000", places=2).map(str)),
        "quantity": draw(st.integers(1, 9)),
        "order_id": draw(st.integers(0, 10**9)),
    }


def written(value: object) -> bytes:
    """JSON, as a careless program writes it: NaN, halves of surrogate pairs and all."""
    return json.dumps(value).encode()


# Kinds.

SPOILT = st.tuples(orders(), st.dictionaries(NAMES, VALUES, max_size=6)).map(
    lambda pair: Hostile(written(pair[0] | pair[1]))
)
ANY_JSON = VALUES.map(written).map(Hostile)


@st.composite
def deep(draw: st.DrawFn) -> Hostile:
    depth = draw(st.integers(1, 40) | st.integers(30, 9000))
    opened, closed = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"data":', b"}]")]))
    heart = draw(st.sampled_from([b"1", b'"x"', b"null", b"", b"[]"]))
    text = opened * depth + heart + closed * draw(st.sampled_from([depth, depth, depth - 1, 0]))
    order = draw(orders())
    return Hostile(draw(st.sampled_from([text, written(order)[:-1] + b',"x":' + text + b"}"])))


@st.composite
def numbers(draw: st.DrawFn) -> Hostile:
    digits = draw(st.sampled_from([1, 17, 18, 19, 400, 4300, 4301, 60_000, 100_000]))
    number = draw(
        st.sampled_from(
            [
                b"1" * digits, b"-" + b"9" * digits, b"0." + b"0" * digits + b"1", b"0" * digits,
                b"1." + b"0" * digits, b"1e" + b"9" * min(digits, 400),
                b"1E-" + b"9" * min(digits, 400), b"1e999999", b"-1e999999", b"1e-999999",
                b"1e1000000000000000000000", b"-0", b"-0.0", b"NaN", b"-Infinity", b"Infinity",
                b"1e17", b"999999999999999999.999999999999999999", b"0.000000000000000001",
                b"1e-18", b"1e-19", b"0x1F", b"1_0", b".5", b"5.", b"+1", b"1e", b"01", b"--1",
                b"253402300800", b"253402300800000", b"-62135596801", b"1e18",
            ]
        )
    )  # fmt: skip
    if draw(st.booleans()):
        number = b'"' + number + b'"'
    names = draw(st.lists(NAMES.filter(lambda name: name.isascii()), min_size=1, max_size=3))
    spoilt = b"".join(b"%s:%s," % (written(name), number) for name in names)
    return Hostile(b"{" + spoilt + written(draw(orders()))[1:])


@st.composite
def names_twice(draw: st.DrawFn) -> Hostile:
    pairs = draw(st.lists(st.tuples(NAMES, VALUES), min_size=2, max_size=8))
    pairs += [(name, draw(VALUES)) for name, _ in pairs[:2]]
    pairs += list(draw(orders()).items())
    text = b",".join(written(name) + b":" + written(value) for name, value in pairs)
    inside = draw(st.sampled_from([b"%s", b'{"data":{%s}}', b'{"order":{"order":{"order":{%s}}}}']))
    return Hostile(b"{%s}" % text if inside == b"%s" else inside % text)


@st.composite
def no_utf8(draw: st.DrawFn) -> Hostile:
    good = json.dumps(draw(orders()) | {"comment": draw(st.text(max_size=9))}, ensure_ascii=False)
    whole = good.encode("utf-8", "surrogatepass")
    cut = draw(st.integers(0, len(whole)))
    noise = draw(st.binary(max_size=12))
    encoding = draw(st.sampled_from(["utf-16", "utf-32", "utf-16-be", "utf-8-sig", "cp1252"]))
    return Hostile(
        draw(
            st.sampled_from(
                [
                    noise, whole[:cut], whole[:cut] + noise + whole[cut:], whole + noise,
                    noise + whole, good.encode(encoding, "replace"),
                    whole[:cut] + b"\0" + whole[cut:], b"\0" * cut, whole.replace(b'"', b"'"),
                    b"\xef\xbb\xbf" * 2 + whole, whole * 2,
                    whole.replace(b":", b" \t\r\n:\x0b", 1), b"action=buy&symbol=BTC&" + noise,
                ]
            )
        )
    )  # fmt: skip


@st.composite
def large(draw: st.DrawFn) -> Hostile:
    size = draw(
        st.integers(65_400, 65_700) | st.sampled_from([65_536, 65_537, 200_000, 1 << 20, 3 << 20])
    )
    filler = draw(
        st.sampled_from([b"x", b"\\u0000", b"{{x}}", b"[", b'"', b"\0", b"\xff", b'","a":"'])
    )
    body = written(draw(orders()))[:-1] + b',"comment":"' + filler * (size // len(filler))
    body = body[: size - 2] + b'"}'
    return Hostile(body, chunks=draw(st.sampled_from([(), (4096,), (1, 65_536), (size,)])))
