"""All kinds of hostile requests, with their share of a run."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from hypothesis import strategies as st

from tests.hostile.bodies import (
    ANY_JSON,
    SPOILT,
    deep,
    large,
    names_twice,
    no_utf8,
    numbers,
    orders,
    written,
)
from tests.hostile.sending import TOKEN_HERE, WITH_TOKEN, Hostile

CONTENT_TYPES = [
    b"application/json", b"text/plain; charset=utf-8", b"text/plain; charset=utf-16", b"x", b"",
    b"application/x-www-form-urlencoded", b"multipart/form-data",
    b"multipart/form-data; boundary=x", b"application/json; charset=nonsense",
    b"application/json; charset=\xff", b"/" * 300, b";;=;", b"application/xml",
    b"application/octet-stream", b"text/plain; charset=" + b"u" * 2000,
]  # fmt: skip
_VALUES_OF_HEADERS = st.sampled_from(
    [
        b"", b"*/*", b"text/html", b"application/xml;q=0.9", b"image/*", b",;=", b"a" * 3000,
        b"\xff\xfe", b"caf\xe9", b"bytes=0-1", b"0", b"-1", b"99999999999999999999", b"1.2.3.4",
        b"::1", b"https", b"1.2.3.4, evil, 10.0.0.1", b"evil.example", b"gzip", b"identity",
        b"100-continue", b"GET", b"sessionid=x; csrftoken=y", b"Bearer", b"Bearer x y",
        b"bearer \xff", b"Basic eDp5", b"upgrade", b"Bearer " + TOKEN_HERE, b"Basic " + TOKEN_HERE,
        b"{{x}}", b"\t", b"W/\"x\"", TOKEN_HERE, b"%00",
    ]
)  # fmt: skip
_HEADER_NAMES = st.sampled_from(
    [
        b"Accept", b"Accept-Language", b"Accept-Encoding", b"Authorization", b"Idempotency-Key",
        b"Cookie", b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host",
        b"X-HTTP-Method-Override", b"Range", b"Content-Encoding", b"If-None-Match",
        b"If-Modified-Since", b"Origin", b"Referer", b"User-Agent", b"X-Correlation-ID",
        b"Forwarded", b"X_Forwarded_For", b"Proxy", b"Upgrade", b"TE", b"Via", b"X-CSRFToken",
        b"Content-Language", b"X-Request-ID", b"traceparent",
    ]
)  # fmt: skip


@st.composite
def _headers(draw: st.DrawFn) -> Hostile:
    headers = draw(st.lists(st.tuples(_HEADER_NAMES, _VALUES_OF_HEADERS), max_size=6))
    headers += [(b"Content-Type", draw(st.sampled_from(CONTENT_TYPES)))]
    headers += [(b"X-%d" % number, b"x") for number in range(draw(st.sampled_from([0, 0, 0, 60])))]
    path = draw(st.sampled_from([WITH_TOKEN, WITH_TOKEN, b"/webhook/"]))
    return Hostile(written(draw(orders())), path=path, headers=tuple(headers))


METHODS = [
    b"GET", b"HEAD", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"PROPFIND", b"FOO",
    b"post", b"X" * 30, b"GET-POST", TOKEN_HERE,
]  # fmt: skip
_PLACES = st.sampled_from(
    [WITH_TOKEN, b"/webhook", b"/webhook/", b"/webhook/wrong", b"/webhook/a/b/"]
)


@st.composite
def _methods(draw: st.DrawFn) -> Hostile:
    path = draw(_PLACES | st.sampled_from([b"/", b"/admin/", b"/health/live", b"/static/x"]))
    query = draw(st.sampled_from([b"", b"", b"?format=xml", b"?" + TOKEN_HERE, b"?%00=%ff"]))
    body = written(draw(orders()))
    return Hostile(body, draw(st.sampled_from(METHODS)), path + query)


_STEPS = st.sampled_from(
    [
        b"..", b".", b"%2e%2e", b"%00", b"%ff", b"%c0%af", b"%2F", b"%5c", b"%", b"%zz", b"%u0041",
        b"x", b";x=1", b"webhook", b"admin", b"login", b"static", b"health", b"live", b"jsi18n",
        b"a" * 2000, "ü".encode(), b"%F0%9F%92%A9", b"+", b"*", b"~", b"'", b"&", b"@", b":",
        b"%0d%0aX:%20y", TOKEN_HERE, quote(TOKEN_HERE).encode(), b"%3Cscript%3E", b"wal", b"entry",
        b"1", b"change",
    ]
)  # fmt: skip


@st.composite
def _paths(draw: st.DrawFn) -> Hostile:
    steps = draw(st.lists(_STEPS, max_size=4))
    start = draw(st.sampled_from([b"/webhook/", b"/webhook/", b"/webhook", b"/", b"//webhook/"]))
    end = draw(st.sampled_from([b"", b"/", b"//", b"?", b"?a=%ff&" + TOKEN_HERE, b"?next=//evil"]))
    method = draw(st.sampled_from([b"POST", b"POST", b"GET"]))
    body = written(draw(orders()))
    return Hostile(body, method, start + b"/".join(steps) + end)


_CHUNKED = st.tuples(
    st.one_of(SPOILT, ANY_JSON, no_utf8()), st.lists(st.integers(1, 400), min_size=1, max_size=30)
).map(lambda pair: replace(pair[0], chunks=tuple(pair[1])))


@st.composite
def _broken(draw: st.DrawFn) -> Hostile:
    good = Hostile(written(draw(orders())), headers=((b"X", draw(_VALUES_OF_HEADERS)),)).as_sent(
        TOKEN_HERE.decode()
    )
    head, _, body = good.partition(b"\r\n\r\n")
    cut = draw(st.integers(0, len(good)))
    noise = draw(st.binary(min_size=1, max_size=9))
    chunked = (
        head.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX-Length") + b"\r\n\r\n"
    )
    raw = draw(
        st.sampled_from(
            [
                good[:cut], good[:cut] + noise + good[cut:], noise + good, noise,
                b"\r\n" * 9 + good, good.replace(b"HTTP/1.1", b"HTTP/9.9"),
                good.replace(b"HTTP/1.1", b"HTTP/1.0"), good.replace(b"HTTP/1.1", b""),
                good.replace(b"\r\n", b"\n"), good.replace(b": ", b"\0:"),
                good.replace(b"Content-Length", b"Content-Length: 5\r\nContent-Length"),
                good.replace(b"Content-Length: ", b"Content-Length: -"),
                head + b"\r\nX" + b"\r\n\r\n",
                good.replace(b"Content-Length: ", b"Content-Length: 9999999999999999999999"),
                good.replace(b"Content-Length: ", b"Content-Length: 1"), head + b"\r\n" * 2,
                good.replace(b"Host: localhost", b"Host: a\r\nHost: b"),
                good.replace(b"Host", b"Ghost"), good.replace(b"Host: localhost", b"Host: [::1"),
                good.replace(b"X: ", b"X" * 70_000 + b": "), chunked + b"zz\r\n" + body,
                chunked + b"5\r\n" + body, chunked + b"ffffffffffffffff\r\n{}",
                chunked + b"-1\r\n{}\r\n0\r\n\r\n",
                chunked + b"2;ext=\xff\r\n{}\r\n0\r\nT: x\r\n\r\n", chunked + b"2\r\n{}\r\n",
                chunked + b"2\r\n{}", chunked,
                good.replace(b"Content-Length", b"Transfer-Encoding: gzip\r\nContent-Length"),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET http://evil.example/ HTTP/1.1\r\n\r\n",
                b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
                b"\x16\x03\x01\x02\0\x01", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ]
        )
    )  # fmt: skip
    return Hostile(is_broken=True, raw=raw or b"\r\n")


#: Kinds and their share of a run.
KINDS: dict[str, tuple[int, st.SearchStrategy[Hostile]]] = {
    "orders, spoilt": (24, SPOILT),
    "any JSON": (10, ANY_JSON),
    "nested deep": (6, deep()),
    "numbers": (10, numbers()),
    "names twice": (8, names_twice()),
    "no UTF-8, no JSON": (10, no_utf8()),
    "large": (4, large()),
    "headers": (8, _headers()),
    "methods": (4, _methods()),
    "paths": (6, _paths()),
    "in chunks": (5, _CHUNKED),
    "no HTTP": (5, _broken()),
}
