import getpass
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from redemption import database_rights
from redemption.database_rights import RightsError

_PASSWORD = "DATABASE_APP_PASSWORD"  # noqa: S105


class Command(BaseCommand):
    help = (
        "Gives the application its rights in the database: to read and to write, and to the history only to add. Run "
        "it as the owner of the tables or as a superuser, as often as you like; migrate gives them on new tables."
    )
    # One of them says that an owner is connected, who is right here.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--login",
            metavar="NAME",
            default="",
            help=f"a login to serve as, made if it is missing; its password is in {_PASSWORD} or is read from standard "
            "input, and nothing leaves that of an existing login as it is",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, help="default: %(default)s")

    def handle(self, **options: Any) -> None:
        role, login, using = settings.DATABASE_APP_ROLE, options["login"], options["database"]
        if login == role:
            raise CommandError(f"{role} is the group that holds the rights: give the login another name.")
        password = _password(login) if login else ""
        try:
            made = database_rights.make_groups(using=using)
            found = database_rights.grant(using=using)
            made_login = login and database_rights.make_login(login, password, using=using)
        except RightsError as refused:
            raise CommandError(str(refused)) from None
        kept = sum(table.is_append_only for table in found)
        every = sum(table.kind != "S" for table in found)
        self.stdout.write(
            f"{role} {'is made and ' if made else ''}may use {every} tables; to {kept} of them it may only add."
        )
        if login:
            self.stdout.write(
                f"{login} {'is made and ' if made_login else ''}has these rights: name it in the DATABASE_URL of what "
                "serves, and the owner in that of migrate."
            )


def _password(login: str) -> str:
    """Never an argument: those stand in the list of processes."""
    given = os.environ.get(_PASSWORD)
    if given is None:
        given = getpass.getpass(f"Password of {login}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if "\0" in given:
        raise CommandError("A password has no zero bytes.")
    return given
