"""Mails as customers' programs write them."""

from email.message import EmailMessage
from email.policy import SMTP

ADA = "Ada Lovelace <ada@example.com>"
# The smallest picture there is.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c636060606000000005000157a8ce"
    "a30000000049454e44ae426082"
)


def mail(
    body="I scratched it and it says it is not valid.",
    *,
    sender=ADA,
    subject="My card",
    html=None,
    files=(),
    cte=None,
    **headers,
):
    """Bytes; keywords are headers, `message_id="<1@x>"` is Message-ID."""
    made = EmailMessage(policy=SMTP)
    made["From"] = sender
    made["To"] = "support@localhost"
    made["Subject"] = subject
    for name, value in headers.items():
        made["-".join(part.capitalize() for part in name.split("_")).replace("-Id", "-ID")] = value
    made.set_content(body, cte=cte)
    if html is not None:
        made.add_alternative(html, subtype="html")
    for name, data, kind in files:
        main, sub = kind.split("/")
        made.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return made.as_bytes()


HEAD = b"From: Ada <ada@example.com>\r\nSubject: Card\r\nMessage-ID: <1@example.com>\r\nMIME-Version: 1.0\r\n"


def part(*, kind="text/plain", body=b"", **headers):
    lines = [f"{name.replace('_', '-')}: {value}".encode() for name, value in headers.items()]
    return b"\r\n".join([HEAD.rstrip(), f"Content-Type: {kind}".encode(), *lines, b"", body])


def multipart(*parts, kind="mixed"):
    body = b"".join(b"--b\r\n" + one + b"\r\n" for one in parts) + b"--b--\r\n"
    return part(kind=f'multipart/{kind}; boundary="b"', body=body)
