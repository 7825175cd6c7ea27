"""procrastinate's own command; a worker that starts says where the history could be changed behind its guards."""

from typing import Any

from procrastinate.contrib.django.management.commands.procrastinate import Command as Procrastinate

from redemption.checks import say_at_start


class Command(Procrastinate):
    def handle(self, *args: Any, **options: Any) -> None:
        if options.get("command") == "worker":
            say_at_start()
        super().handle(*args, **options)
