"""The production settings with local secrets and fast password hashing."""

import os

os.environ.setdefault("DEBUG", "true")

from config.settings import *  # noqa: F403

DEBUG = False
# First, so that its `flush` is the one that transactional tests call.
INSTALLED_APPS = ["tests.reset", *INSTALLED_APPS]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
SECURE_SSL_REDIRECT = False
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
# Static files are looked for when they are asked for: nobody has collected them before a test.
WHITENOISE_AUTOREFRESH = True
