"""A worker that makes codes in small pieces, and half-way waits to be told to go on: `python -m` this."""

import os
import sys


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.redemption.worker_settings"
    import django

    django.setup()
    from django.core.management import call_command

    from redemption import issuing, jobs

    issuing.CHUNK = 1000
    show = jobs._show_progress

    def show_and_wait(second: object, batch_job_id: int, done: int) -> None:
        show(second, batch_job_id, done)
        if done == 2000:
            sys.stdin.readline()

    jobs._show_progress = show_and_wait
    call_command("procrastinate", "worker", "--one-shot", "--no-listen-notify")


if __name__ == "__main__":
    main()
