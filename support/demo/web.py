"""The application as the demo serves it: config.wsgi, in a worker that ends with its server."""

import multiprocessing
import signal

from django.conf import settings

from config.wsgi import application
from support.demo.child import end_with, leave

__all__ = ["application"]

# Only now, because plain http and static files without a build come with DEBUG: errors look as in production, and show
# neither source nor what was typed.
settings.DEBUG = False

if server := multiprocessing.parent_process():
    assert server.pid
    signal.signal(signal.SIGTERM, leave)
    end_with(server.pid)
