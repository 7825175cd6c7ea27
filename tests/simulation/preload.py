"""Imported once by the process that the dying workers are forked from."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

import redemption.redeem  # noqa: E402, F401
import support.jobs  # noqa: E402, F401
