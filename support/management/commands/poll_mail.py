from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from support.mail.imap import MailboxError, poll


class Command(BaseCommand):
    help = "Fetches unread mails from the mailbox that IMAP_URL names, as the worker does each minute."

    def handle(self, **options: Any) -> None:
        if not settings.IMAP_URL:
            raise CommandError("IMAP_URL names no mailbox.")
        try:
            taken = poll()
        except MailboxError as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"{taken} mails taken.")
