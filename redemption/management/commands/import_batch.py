from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from redemption import trail
from redemption.importing import ImportingError, ImportReport, import_codes
from redemption.management.arguments import (
    add_batch_arguments,
    counter,
    expiry_of,
    product_of,
    retailer_of,
    user_of,
)


class Command(BaseCommand):
    help = "Imports a supplier's codes from a CSV file as a new batch: all of them or none, unless --skip-bad."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        add_batch_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="report only")
        parser.add_argument("--skip-bad", action="store_true", help="import the good lines, report the bad ones")
        parser.add_argument("--encoding", default="", help="default: what the file says, else UTF-8")
        parser.add_argument("--column", metavar="NAME", default="", help="the codes' heading, or number from 1")
        parser.add_argument("--active", action="store_true", help="activate the batch at once")

    def handle(self, **options: Any) -> None:
        known: dict[str, Any] = {
            "product": product_of(options),
            "retailer": retailer_of(options),
            "by": user_of(options),
            "expires_on": expiry_of(options),
        }
        chosen = {name: options[name] for name in ("dry_run", "skip_bad", "encoding", "column", "active")}
        try:
            with options["file"].open("rb") as source, transaction.atomic():
                report = import_codes(source=source, **known, **chosen, progress=counter(self.stderr, "lines read"))
                if report.batch and not options["dry_run"]:
                    trail.tell("catalogue_changed", by=known["by"], target=f"batch:{report.batch.pk}", did="imported")
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from None
        except ImportingError as refused:
            raise CommandError(str(refused)) from None
        self._show(report)
        if options["dry_run"]:
            self.stdout.write("A dry run: nothing was stored.")
        elif not report.batch:
            raise CommandError("Nothing was imported: correct the lines above, or leave them out with --skip-bad.")

    def _show(self, report: ImportReport) -> None:
        layout = report.layout
        heading = ", the first line is its heading" if layout.heading else ""
        self.stdout.write(f"Read as {layout.encoding}, codes in column {layout.column + 1}{heading}.")
        for problem in report.problems:
            self.stdout.write(f"line {problem.line}: {problem.reason}")
        if report.problem_count > len(report.problems):
            self.stdout.write("… and more:")
        for reason, lines in report.reasons.most_common():
            self.stdout.write(f"{lines:,} times: {reason}")
        self.stdout.write(f"{report.lines:,} lines, {report.codes:,} good codes, {report.problem_count:,} bad lines.")
        if batch := report.batch:
            self.stdout.write(f"Batch {batch}: serial numbers {batch.first_serial}–{batch.last_serial}.")
