from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from redemption.management.arguments import counter, program_of
from redemption.models import Program
from redemption.rotation import rotate, total


class Command(BaseCommand):
    help = "Moves stored codes to the newest key of CODE_KEYS. Can be stopped, and run again, at any time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--program", metavar="SLUG", default="", help="default: all of them")

    def handle(self, **options: Any) -> None:
        slug = options["program"]
        for program in [program_of(slug)] if slug else Program.objects.order_by("pk"):
            wrapped = rotate(program=program, progress=counter(self.stderr, "serial numbers", total(program)))
            self.stdout.write(f"{program}: {wrapped:,} digests wrapped in a newer key.")
