import logging
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from support.mail.receiving import receive

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Takes one mail from standard input, for a mail server's pipe. Ends with 0 when it is stored or deliberately "
        "dropped, and with 75 (try again) when it could not be stored, so that the mail server keeps it."
    )
    # A mail server starts it for each mail.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        try:
            receive(sys.stdin.buffer.read())
        # A database that is away, a full disk, a mistake of ours: the mail server keeps what we have not. Only the
        # error's kind is said, because its text may quote the mail.
        except Exception as error:
            logger.error("A mail was not taken (%s): the mail server is to try again.", type(error).__name__)
            sys.exit(os.EX_TEMPFAIL)
