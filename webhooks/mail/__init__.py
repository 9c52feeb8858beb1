"""A second way in: TradingView mails its alerts too, and a mail arrives where a webhook did not.

What is read from a mailbox goes through the same pipeline as what is posted, so the same
order by both ways is one effect. docs/mailbox.md says what is checked and what is not.
"""
