"""What people have got by mail."""

from django.core import mail
from django.core.mail import EmailMessage
from procrastinate.contrib.django.models import ProcrastinateJob

from redemption.jobs import send_sealed_mail_job
from redemption.models import SealedMail


def waiting() -> list[ProcrastinateJob]:
    """The queue's jobs that are to send a sealed mail which is still there."""
    kept = list(SealedMail.objects.values_list("pk", flat=True))
    jobs = ProcrastinateJob.objects.filter(task_name=send_sealed_mail_job.name, args__sealed_mail_id__in=kept)
    return list(jobs.order_by("pk"))


def delivered() -> list[EmailMessage]:
    """All mails, once a worker has sent those that wait for it."""
    for job in waiting():
        send_sealed_mail_job(**job.args)
    return mail.outbox
