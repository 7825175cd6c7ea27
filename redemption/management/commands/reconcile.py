"""Proves on the whole database that transfers, wallets, liability, cards and credits tell the same."""

from datetime import datetime, time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date

from redemption.money import format_minor
from redemption.reconcile import prove


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-of", metavar="YYYY-MM-DD", help="Liability at the end of that day (UTC).")

    def handle(self, *args: Any, as_of: str | None = None, **options: Any) -> None:
        moment = None
        if as_of:
            try:
                day = parse_date(as_of)
            except ValueError:
                day = None
            if day is None:
                raise CommandError(f"“{as_of}” is no date: write it like 2026-12-31.")
            moment = timezone.make_aware(datetime.combine(day, time.max))
        lines = prove(as_of=moment)
        for line in lines:
            mark = "agrees" if line.agrees else "DIFFERS"
            expected, found = (
                format_minor(amount, line.currency) if line.currency else str(amount)
                for amount in (line.expected, line.found)
            )
            self.stdout.write(f"{mark:8} {line.what}: {found}" + ("" if line.agrees else f", expected {expected}"))
        if wrong := [line for line in lines if not line.agrees]:
            raise CommandError(f"{len(wrong)} of {len(lines)} comparisons differ.")
