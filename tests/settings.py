"""The production settings with local secrets and fast password hashing."""

import hashlib
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

# Whom DATABASE_URL or the embedded server names makes the tests' databases and owns their tables. Tests, and the
# processes that they start, are a login with the application's rights alone: see tests/owner.py. Every process must
# come to the same password.
DATABASE_OWNER = {name: DATABASES["default"].get(name, "") for name in ("USER", "PASSWORD")}  # noqa: F405
_prefix = DATABASE_OWNER["USER"] or "redemption_test"
DATABASE_APP_ROLE = f"{_prefix}_app"
DATABASE_PORTAL_ROLE = f"{_prefix}_portal"
DATABASE_APPLICATION = {
    "USER": f"{_prefix}_desk",
    "PASSWORD": hashlib.sha256(f"{DATABASE_OWNER['PASSWORD']} {SECRET_KEY}".encode()).hexdigest(),  # noqa: F405
}
DATABASES["default"].update(DATABASE_APPLICATION)  # noqa: F405
