"""Which ticket a mail belongs to. Naming one is not enough to write on it."""

from redemption.models import Account
from support.mail.identity import REFERENCE, acknowledged
from support.mail.incoming import ParsedMail
from support.models import CompromiseReport, Message, Ticket


def ticket_of(mail: ParsedMail) -> Ticket | None:
    """The ticket that the mail goes on, or None: a new one.

    Who names a mail of the thread by its Message-ID has had that mail, from us or from the customer, and may be
    somebody else whom the customer asked; answers still go to the requester only. A reference in the subject is read
    out, forwarded and guessed at: it counts from the requester's own address alone. So does a merged ticket, because
    the other one may be somebody else's.
    """
    for ticket in _by_message_id(mail):
        main = main_of(ticket)
        if main.pk == ticket.pk or is_from(mail.sender, main):
            return main
    for reference in REFERENCE.findall(mail.subject)[:10]:
        named = Ticket.objects.select_related("account").filter(reference=reference.upper()).first()
        if named is None:
            continue
        main = main_of(named)
        if is_from(mail.sender, named) and is_from(mail.sender, main):
            return main
    return None


def main_of(ticket: Ticket) -> Ticket:
    """The ticket that this one was merged into, and so on."""
    seen = {ticket.pk}
    while ticket.merged_into_id and ticket.merged_into_id not in seen:
        seen.add(ticket.merged_into_id)
        ticket = Ticket.objects.select_related("account").get(pk=ticket.merged_into_id)
    return ticket


def is_from(sender: str, ticket: Ticket) -> bool:
    """Whether this is the requester's address, or that of the ticket's account; a retailer's report is not its
    customer's to write on."""
    is_retailers = CompromiseReport.objects.filter(ticket=ticket).exists()
    account = ticket.account.email if ticket.account and not is_retailers else ""
    return bool(sender) and sender in (ticket.requester_email.lower(), account.lower())


def account_of(sender: str) -> Account | None:
    """The customer's account, where the address has one only."""
    found = list(Account.objects.filter(email__iexact=sender).order_by("pk")[:2]) if sender else []
    return found[0] if len(found) == 1 else None


def _by_message_id(mail: ParsedMail) -> list[Ticket]:
    """The tickets of the mails that this one answers, the nearest first."""
    known = {
        message.mail_id: message.ticket
        for message in Message.objects.filter(mail_id__in=mail.references).select_related("ticket__account")
    }
    ours = {reference: pk for reference in mail.references if (pk := acknowledged(reference))}
    tickets = Ticket.objects.select_related("account").in_bulk(ours.values())
    found = [known.get(reference) or tickets.get(ours.get(reference, 0)) for reference in mail.references]
    return list(dict.fromkeys(ticket for ticket in found if ticket))
