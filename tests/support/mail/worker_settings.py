"""The tests' settings for a worker that mails through a server of the test."""

import os

from tests.redemption.worker_settings import *  # noqa: F403

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT, EMAIL_USE_TLS = "127.0.0.1", int(os.environ["TEST_SMTP_PORT"]), False
EMAIL_HOST_USER = EMAIL_HOST_PASSWORD = ""
