"""An invitation that the mail server does not take: tried again, or left, and told to nobody."""

import smtplib

import pytest
from django.core import mail

from redemption.models import MemberRole
from redemption.roles import Role
from support.actions import members
from support.mail.invitations import link, send
from support.mail.servers import MailServerAwayError
from tests import factories

pytestmark = pytest.mark.django_db
ADDRESS = "new@shop.example"


@pytest.fixture
def invitation():
    by = factories.user(Role.MANAGER)
    return members.invite(retailer=factories.retailer(), email=ADDRESS, role=MemberRole.CLERK, by=by)


def test_a_server_that_is_away_is_tried_again_and_its_words_are_nobodys(invitation, mail_server, caplog):
    mail_server.error = smtplib.SMTPRecipientsRefused({ADDRESS: (450, link(invitation).encode())})
    with pytest.raises(MailServerAwayError) as away:
        send(invitation.pk)
    assert str(away.value) == "An invitation did not go out (SMTPRecipientsRefused)."
    assert away.value.__suppress_context__
    mail_server.error = None
    send(invitation.pk)
    assert [sent.to for sent in mail.outbox] == [[ADDRESS]]
    assert ADDRESS not in caplog.text


def test_an_address_that_takes_no_mail_is_left(invitation, mail_server, caplog):
    mail_server.error = smtplib.SMTPRecipientsRefused({ADDRESS: (550, b"no such user")})
    send(invitation.pk)
    assert caplog.messages == ["An invitation cannot be mailed (SMTPRecipientsRefused)."]
