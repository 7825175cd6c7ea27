"""What became of a report, by mail to who reported it and to the retailer's own address: when its cards are frozen,
when we asked for something, and when something came of them. It names no customer, no code and no card."""

from email.utils import formataddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from redemption import locks
from support.mail import servers
from support.mail.identity import acknowledgement_id, news_id, our_address, our_name
from support.models import CompromiseReport, MessageKind, ReportChannel, Stage
from support.report_summary import Summary, summary


def tell(report_id: int) -> None:
    """Mails the news since the last mail, if there is any; all its readers have one mail, so that none has it twice
    because another's failed. Raises MailServerAwayError where it is worth trying again.

    At least once: a crash between the mail server's yes and the commit sends the same mail again, under the same
    Message-ID, which mail programs show once.
    """
    with transaction.atomic():
        # Not the report's own row: nobody who judges it waits for a mail server.
        locks.take(locks.TELLING, report_id)
        report = CompromiseReport.objects.select_related("retailer", "ticket", "by").get(pk=report_id)
        if report.frozen_at is None:
            return
        found = summary(report)
        asked = _question(report)
        before, _, asked_before = report.told.partition("; ")
        is_found_anew = str(found) != before
        readers = _readers(report)
        if not is_found_anew:
            # The question went out as the ticket's answer to who reported it: only the others hear of it here.
            readers = [reader for reader in readers if reader != report.ticket.requester_email.lower()]
        news = f"{found}; {asked}"
        if readers and (is_found_anew or (asked and asked != asked_before)):
            servers.send(_mail(report, found, news, readers), what="The news of a report")
        CompromiseReport.objects.filter(pk=report_id).exclude(told=news).update(told=news)


def _question(report: CompromiseReport) -> str:
    """What the retailer is to answer: the message's key, or nothing."""
    if report.stage != Stage.NEEDS_INFORMATION:
        return ""
    replies = report.ticket.messages.filter(kind=MessageKind.REPLY).order_by("-pk")
    return str(replies.values_list("pk", flat=True).first() or "")


def _readers(report: CompromiseReport) -> list[str]:
    """Who reported it, while he belongs to the retailer, and the retailer's own address: in small letters, once."""
    found = []
    if (
        report.channel == ReportChannel.PORTAL
        and report.by.is_active
        and report.retailer.members.filter(user=report.by).exists()
    ):
        found.append(report.by.email.lower())
    found.append(report.retailer.contact_email.lower())
    return list(dict.fromkeys(address for address in found if address))


def _mail(report: CompromiseReport, found: Summary, news: str, readers: list[str]) -> EmailMultiAlternatives:
    ticket = report.ticket
    context = {
        "report": report,
        "stage": report.stage,
        "needs_information": report.stage == Stage.NEEDS_INFORMATION,
        "found": found,
        "address": f"{settings.SITE_URL.rstrip('/')}{reverse('portal_report', args=[report.reference])}",
        "our_name": our_name(),
    }
    text, html = (render_to_string(f"support/mail/report.{kind}", context) for kind in ("txt", "html"))
    us = formataddr((our_name(), our_address()))
    mail = EmailMultiAlternatives(
        # As the ticket's answers are threaded, and always the same: mail programs keep one subject together.
        subject=f"{report.get_kind_display()}: report {report.reference} [{ticket.reference}]",
        body=text,
        from_email=us,
        to=readers[:1],
        cc=readers[1:],
        reply_to=[us],
        headers={
            "Message-ID": news_id(report.pk, news),
            "In-Reply-To": acknowledgement_id(ticket),
            "References": acknowledgement_id(ticket),
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    mail.attach_alternative(html, "text/html")
    return mail
