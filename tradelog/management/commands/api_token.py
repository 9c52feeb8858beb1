"""`manage.py api_token`: a token for a program that reads the API."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from arguments import whole_number
from tradelog.api import tokens
from tradelog.models import ApiToken


class Command(BaseCommand):
    help = (
        "Make a token by which a program reads the API as this user, and print it: the only time "
        "it is shown, since its hash alone is kept. It is deleted in the admin, under API tokens. "
        "Exit status: 0 done, 1 there is no such user, 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the name of a user with staff status")
        parser.add_argument("--name", default="command line", help="what it is for")
        parser.add_argument(
            "--days",
            type=whole_number("number of days", 36_500),
            help="how long it is valid (until it is deleted)",
            metavar="N",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        if not 1 <= len(name) <= 100:
            raise CommandError("--name has 1 to 100 characters.", returncode=2)
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        if not (user.is_active and user.is_staff):
            raise CommandError(
                f"{user} may not read the API: give them “staff status” in the admin first."
            )
        row = ApiToken(user=user, name=name, expires_at=tokens.expiry(options["days"]))
        self.stdout.write(tokens.issue(row))
