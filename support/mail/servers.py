"""What a mail server says of a mail, told without its words: they may quote the mail, and name who was to get it."""

import logging
from smtplib import SMTPAuthenticationError, SMTPRecipientsRefused, SMTPResponseException

from django.core.mail import EmailMessage
from django.views.decorators.debug import sensitive_variables

logger = logging.getLogger(__name__)


class MailServerAwayError(OSError):
    """The mail did not go out, and may later. Says the first error's kind and no more."""


@sensitive_variables()
def send(mail: EmailMessage, *, what: str) -> None:
    """Raises MailServerAwayError where it is worth trying again, and else leaves a line in the log. Both say `what` did
    not go out, such as “An invitation”."""
    try:
        mail.send()
    # Whatever a mail server, or a broken address, comes up with.
    except Exception as error:
        kind = type(error).__name__
        if may_pass(error):
            raise MailServerAwayError(f"{what} did not go out ({kind}).") from None
        logger.warning("%s cannot be mailed (%s).", what, kind)


def may_pass(error: Exception) -> bool:
    """Whether trying again may help: a server that is away or busy, or a password that an administrator will mend."""
    if isinstance(error, SMTPRecipientsRefused):
        return any(code < 500 for code, _ in error.recipients.values())
    if isinstance(error, SMTPResponseException) and not isinstance(error, SMTPAuthenticationError):
        return error.smtp_code < 500
    # smtplib's errors are OSErrors too; the others, such as a line break in an address, are there to stay.
    return isinstance(error, OSError)
