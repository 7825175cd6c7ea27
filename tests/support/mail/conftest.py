"""A mail server that a test can spoil."""

import pytest
from django.core.mail.backends.locmem import EmailBackend


class Refusing(EmailBackend):
    """A mail server with a bad day; its answers quote what it was sent, as some do."""

    error: Exception | None = None

    def send_messages(self, messages):
        if self.error:
            raise self.error
        return super().send_messages(messages)


@pytest.fixture
def mail_server(settings):
    settings.EMAIL_BACKEND = f"{__name__}.{Refusing.__name__}"
    Refusing.error = None
    yield Refusing
    Refusing.error = None
