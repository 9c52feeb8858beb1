from __future__ import annotations


class Refused(Exception):
    """A mail that is no alert of ours, or may not be; the text says why."""
