from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from redemption import trail
from redemption.issuing import IssuingError, issue_batch
from redemption.management.arguments import (
    add_batch_arguments,
    counter,
    expiry_of,
    product_of,
    retailer_of,
    user_of,
)
from redemption.models import Batch
from redemption.print_files import path_of


class Command(BaseCommand):
    help = "Makes a batch of new codes and its print file, encrypted to the printer's age key. All of it or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_batch_arguments(parser)
        parser.add_argument("--quantity", metavar="N", type=int, required=True)
        parser.add_argument("--first-serial", metavar="N", type=int, help="default: the first free range")
        parser.add_argument("--recipient", metavar="AGE1…", default="", help="default: the program's printer")

    def handle(self, **options: Any) -> None:
        product, by = product_of(options), user_of(options)
        batch = Batch(
            product=product,
            retailer=retailer_of(options),
            code_format=product.program.current_format(),
            quantity=options["quantity"],
            expires_on=expiry_of(options),
            created_by=by,
        )
        try:
            batch.full_clean()
            with transaction.atomic():
                batch.save()
                print_file = issue_batch(
                    batch=batch,
                    by=by,
                    recipient=options["recipient"],
                    first_serial=options["first_serial"],
                    progress=counter(self.stderr, "codes made", batch.quantity),
                )
                trail.tell("catalogue_changed", by=by, target=f"batch:{batch.pk}", did="issue")
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except IssuingError as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(
            f"Batch {batch}: {batch.quantity:,} codes, serial numbers {batch.first_serial}–{batch.last_serial}.\n"
            f"Print file for {print_file.recipient}: {path_of(print_file)}"
        )
