"""Which address a request came from, and which addresses are ours.

On the ground floor: the webhooks' door and the admin's log-in both ask.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: What one household or one machine gets of IPv6, and can change addresses within.
_IPV6_HOUSEHOLD = 64


def client_address(request: HttpRequest) -> str:
    """The address a request came from; "" where the server tells none.

    A proxy's X-Forwarded-For is believed as far as the proxies are TRUSTED_PROXIES:
    it is read from its end, and the first address that is none of them is the
    client's. What stands before that, anybody could have written.
    """
    address = as_address(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    for hop in reversed([hop.strip() for hop in forwarded if hop.strip()]):
        if not is_in(address, settings.TRUSTED_PROXIES):
            break
        if not (client := as_address(_without_port(hop))):
            break
        address = client
    return address


def _without_port(hop: str) -> str:
    """203.0.113.7:4444 and [2001:db8::7]:4444, as some proxies write an address."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def comes_from_proxy(request: HttpRequest) -> bool:
    """Whether one of TRUSTED_PROXIES handed this request on."""
    return is_in(as_address(request.META.get("REMOTE_ADDR", "")), settings.TRUSTED_PROXIES)


def counted_as(address: str) -> str:
    """Under what an address is counted: itself, or the IPv6 network its owner has."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network((address, _IPV6_HOUSEHOLD), strict=False))


@lru_cache(maxsize=1024)
def as_address(text: str) -> str:
    """An IP address as the database knows them, without a scope; "" if it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    # What listens on IPv6 tells IPv4 clients as ::ffff:203.0.113.7.
    return str(getattr(address, "ipv4_mapped", None) or address)


def is_in(address: str, cidrs: Iterable[str]) -> bool:
    """Whether an address lies in one of these networks; "" lies in none."""
    networks = _networks(tuple(cidrs))
    return bool(address) and any(ipaddress.ip_address(address) in network for network in networks)


@lru_cache(maxsize=16)
def _networks(cidrs: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(cidr.strip(), strict=False) for cidr in cidrs if cidr.strip())
