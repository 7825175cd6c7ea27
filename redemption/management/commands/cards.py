from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from redemption import trail
from redemption.cards import CardError, Touched, activate_cards, freeze_cards, thaw_cards
from redemption.code_spotting import CodeSpotter
from redemption.management.arguments import user_of
from redemption.models import FIRST_SERIAL, LAST_SERIAL, CardEvent

_VERBS: dict[str, Callable[..., Touched]] = {"activate": activate_cards, "freeze": freeze_cards, "thaw": thaw_cards}
_LONGEST_REASON = CardEvent._meta.get_field("reason").max_length or 0


class Command(BaseCommand):
    help = "Activates, freezes or thaws a card or a range of them. Takes those that it can, and counts the others."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("verb", choices=_VERBS)
        parser.add_argument("first", metavar="FIRST", type=int, help="a serial number")
        parser.add_argument("last", metavar="LAST", type=int, nargs="?", help="default: FIRST alone")
        parser.add_argument("--by", metavar="EMAIL", required=True, help="who does it; needs a role that may")
        parser.add_argument("--reason", metavar="TEXT", default="", help="for the cards' timelines; no codes")

    def handle(self, **options: Any) -> None:
        verb, first, reason = options["verb"], options["first"], options["reason"].strip()
        last = first if options["last"] is None else options["last"]
        by = user_of(options)
        if not all(FIRST_SERIAL <= serial <= LAST_SERIAL for serial in (first, last)):
            raise CommandError("Serial numbers have ten digits.")
        if verb == "activate" and reason:
            raise CommandError("Activating takes no reason.")
        if verb != "activate" and not (reason and reason.isprintable() and len(reason) <= _LONGEST_REASON):
            raise CommandError(f"Give a --reason of at most {_LONGEST_REASON} characters.")
        if CodeSpotter().holds_code([reason]):
            raise CommandError("There is a code in the reason, which is kept for good: name cards by serial number.")
        try:
            with transaction.atomic():
                touched = _VERBS[verb](first=first, last=last, by=by, **({"reason": reason} if reason else {}))
                trail.tell(
                    "card_changed", by=by, target=f"code:{first}", change=verb, last=last, changed=touched.changed
                )
        except CardError as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(touched.sentence)
