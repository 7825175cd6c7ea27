"""The same application for asynchronous servers; measured slower than WSGI for our work."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_asgi_application()

from redemption.checks import say_at_start  # noqa: E402

say_at_start()
