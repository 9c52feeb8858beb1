"""File permissions, for a server that runs as another user than the one who starts it."""

from __future__ import annotations

import stat
from pathlib import Path

_OTHERS_RUN = stat.S_IROTH | stat.S_IXOTH


def let_others_through(folder: Path) -> None:
    """Let every user pass through a folder and those above it (o+x).

    Not o+r: what lies in them can still not be listed.
    """
    for passed in (folder, *folder.parents):
        mode = stat.S_IMODE(passed.stat().st_mode)
        if not mode & stat.S_IXOTH:
            passed.chmod(mode | stat.S_IXOTH)


def let_others_run(folder: Path) -> None:
    """Let every user read and run what is in a folder of installed programs.

    An installation under a strict umask is closed to all but its owner.
    """
    let_others_through(folder.parent)
    if folder.stat().st_mode & _OTHERS_RUN == _OTHERS_RUN:
        return
    # The folder itself comes last, so that an open one is open all the way down.
    for path in (*folder.rglob("*"), folder):
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
