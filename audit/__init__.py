"""Admin pages of an audit trail: everybody reads, nobody edits or deletes by hand.

On the ground floor, so that every app's admin can stand on it.
"""

from audit.pages import AuditTrailAdmin, PageAdmin, ShownAdmin, link

__all__ = ["AuditTrailAdmin", "PageAdmin", "ShownAdmin", "link"]
