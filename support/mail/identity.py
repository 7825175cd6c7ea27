"""Who we are in mails: our address, our Message-IDs, and our tickets’ references."""

import re
import secrets
from email.utils import parseaddr

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from support.models import Ticket

REFERENCE = re.compile(r"\[(TK(?:-[0-9A-Z]{4}){3})\]", re.IGNORECASE)
_ACKNOWLEDGEMENT = re.compile(r"^<ticket\.(\d{1,18})\.([0-9a-f]{32})@")


def our_address() -> str:
    return parseaddr(settings.SUPPORT_ADDRESS)[1].lower()


def new_mail_id() -> str:
    """A Message-ID that nobody guesses: who names it has had our mail."""
    return f"<{secrets.token_hex(16)}@{_domain()}>"


def acknowledgement_id(ticket: Ticket) -> str:
    """Always the same of one ticket, so that an acknowledgement that goes out twice is one mail to mail programs."""
    return f"<ticket.{ticket.pk}.{_seal(ticket.pk)}@{_domain()}>"


def news_id(report_id: int, news: str) -> str:
    """Always the same of the same news about a report of compromised cards."""
    seal = salted_hmac("support.mail.news", f"{report_id} {news}", algorithm="sha256").hexdigest()[:32]
    return f"<report.{report_id}.{seal}@{_domain()}>"


def acknowledged(mail_id: str) -> int | None:
    """The ticket whose acknowledgement has this Message-ID; None where it is none of ours."""
    found = _ACKNOWLEDGEMENT.match(mail_id)
    return int(found[1]) if found and constant_time_compare(found[2], _seal(int(found[1]))) else None


def our_name() -> str:
    return parseaddr(settings.SUPPORT_ADDRESS)[0] or "Redemption Desk"


def _domain() -> str:
    return our_address().rpartition("@")[2] or "localhost"


def _seal(ticket_id: int) -> str:
    return salted_hmac("support.mail.identity", str(ticket_id), algorithm="sha256").hexdigest()[:32]
