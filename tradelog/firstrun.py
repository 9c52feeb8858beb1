"""The `.env` file of a fresh checkout. It must be there before the settings are loaded."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from data_folder import owner_only

_TEMPLATE = """\
# Settings of this installation; docs/settings.md tells them all.
# The secrets were made for it alone: keep this file to yourself.

# Signs sessions. A new one logs everybody out.
SECRET_KEY={secret_key}

# What the trail of alerts is hashed under, so that nobody can rewrite it unnoticed. Keep
# it, and keep a copy elsewhere: under another key the trail cannot be verified.
TRAIL_KEY={trail_key}

# Who may send alerts: name:token, comma-separated, or name:token:strategy1|strategy2.
# To change a token, add the new one, change the alerts in TradingView, remove the old one.
WEBHOOK_TOKENS=tradingview:{token}

# The names this service is reached by: add the one TradingView posts to.
#ALLOWED_HOSTS=localhost,127.0.0.1,[::1],trades.example.com

# Where it listens.
#HOST=127.0.0.1
#PORT=8000

# Only TradingView may post alerts (its four addresses).
#WEBHOOK_ALLOWED_IPS=52.89.214.238,34.212.75.30,54.218.53.128,52.32.178.7
# A proxy with TLS stands in front: pages by https alone.
#BEHIND_TLS=true
# The proxy's address, so that the client's is taken from its header.
#TRUSTED_PROXIES=127.0.0.1,::1

# Where TradingView mails the same alerts to, for when a webhook never comes (docs/mailbox.md).
#MAILBOX_URL=imaps://user:password@imap.example.com/INBOX
#MAILBOX_AUTHSERV_ID=mx.example.com
#MAILBOX_RECIPIENTS=you@example.com
# Who is told when alerts fail, wait, drift or stay away (docs/alarms.md): Apprise URLs,
# comma-separated. `manage.py check_alerts --test` tries them.
#ALERT_URLS=tgram://bottoken/chat,mailto://user:password@example.com

# A PostgreSQL of your own instead of the embedded one.
#DATABASE_URL=postgres://user:password@localhost/tradelog

"""


def write_env(path: Path) -> bool:
    """Write `path` with fresh secrets, readable by its owner alone; False if it was there.

    It is there whole or not at all, and at no moment can anybody else read it.
    """
    if path.exists():
        return False
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    text = _TEMPLATE.format(
        secret_key=secrets.token_urlsafe(48),
        trail_key=secrets.token_urlsafe(48),
        token=secrets.token_urlsafe(32),
    )
    try:
        with open(draft, "x", opener=owner_only) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, this fails if another process was first.
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True
