"""The container's parts, as far as they can be judged without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.server import ROOT

DOCKER = ROOT / "deploy" / "docker"


def copied(folder: Path) -> Path:
    """What `COPY . .` leaves in the image, by the ignore file: all is out but what it names."""
    rules = [
        rule
        for rule in (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
        if rule and not rule.startswith("#")
    ]
    assert (rules[0], rules[-1]) == ("*", "**/__pycache__/")
    for rule in rules[1:-1]:
        for path in ROOT.glob(rule.removeprefix("!")):
            if path.is_dir():
                shutil.copytree(path, folder / path.name)
            else:
                shutil.copy(path, folder)
    return folder


def test_the_image_has_all_that_the_program_needs_and_no_secret(tmp_path: Path) -> None:
    image = copied(tmp_path)
    environment = {**os.environ, "PYTHONPATH": "", "TRADELOG_DATA": str(tmp_path / "data")}
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=image,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
    # The files that are read only when they are needed.
    read = (
        "import django; django.setup()\n"
        "import tradelog.urls, tradelog.serving\n"
        "from tradelog import session; session.expected_trades()"
    )
    subprocess.run([sys.executable, "-c", read], cwd=image, env=environment, check=True)
    assert (image / "pyproject.toml").exists()  # A backup tells the version from it.
    assert not (image / ".env").exists()
    assert not (image / "tests").exists()


def test_what_is_to_be_filled_in_is_a_setting() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    named = re.findall(r"(?m)^([A-Z_]+)=", (DOCKER / "tradelog.env.example").read_text())
    compose = (DOCKER / "compose.yml").read_text()
    service = compose[: compose.index("\n  postgres:\n")]
    named += re.findall(r"(?m)^      ([A-Z_]+): ", service)
    assert len(named) > 8
    for name in set(named) - {"POSTGRES_PASSWORD"}:
        assert f"| `{name}` |" in documented


def test_one_container_alone_believes_the_proxy_on_its_host() -> None:
    # The example has no TRUSTED_PROXIES, which compose.yml brings and `docker run` must.
    told = (ROOT / "docs" / "deployment.md").read_text()
    (run,) = re.findall(r"(?m)^docker run (?:.*\\\n)*.*$", told)
    assert "--env-file deploy/docker/tradelog.env " in run
    assert "--env TRUSTED_PROXIES=172.17.0.1 " in run, "alerts would come from the gateway"
