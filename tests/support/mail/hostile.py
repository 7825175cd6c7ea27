"""Mails that nobody should write."""

from tests.support.mail.mails import HEAD, multipart, part

DEEP = b"".join(
    b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(3000)
)
HOSTILE = {
    "nothing": b"",
    "NULs": HEAD + b"\r\nHel\x00lo",
    "no body": HEAD.rstrip(),
    "only bytes": bytes(range(256)) * 50,
    "no blank line": b"hello, this is no mail",
    "broken base64": part(Content_Transfer_Encoding="base64", body=b"SGVsbG8!!! =="),
    "base64 of one symbol": part(Content_Transfer_Encoding="base64", body=b"S"),
    "broken quoted-printable": part(Content_Transfer_Encoding="quoted-printable", body=b"Hello=ZZ=\r\n=E"),
    "unknown encoding": part(Content_Transfer_Encoding="x-rot13", body=b"Hello"),
    "uuencode": part(Content_Transfer_Encoding="x-uuencode", body=b"begin 644 x\r\n garbage\r\nend"),
    "lone surrogates": part(kind="text/plain; charset=unicode_escape", body=b"Hello \\ud83d \\x00 \\udc80"),
    "surrogates in utf-7": part(kind="text/plain; charset=utf-7", body=b"Hello +2D0-"),
    "surrogates in an escaped name": multipart(
        b"Content-Type: image/png\r\nContent-Disposition: attachment; filename*=unicode_escape''\\ud83d.png\r\n\r\nx"
    ),
    "a charset that is a path": part(kind="text/plain; charset=../../etc/passwd", body=b"Hello"),
    "no boundary": part(kind="multipart/mixed", body=b"--b\r\n\r\nHello"),
    "an empty boundary": part(kind='multipart/mixed; boundary=""', body=b"--\r\n\r\nHello"),
    "a boundary that never ends": part(kind='multipart/mixed; boundary="b"', body=b"--b\r\n\r\nHello"),
    "a type that is none": part(kind=";;;=/", body=b"Hello"),
    "a type with endless parameters": part(kind="text/plain" + "; a=b" * 200_000, body=b"Hello"),
    "RFC 2231 gone wrong": part(kind="text/plain; charset*=;name*0*=%;name*9999999*=x", body=b"Hello"),
    "depth": HEAD + DEEP,
    "nested forwards": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 3_000,
    "delivery-status that is none": part(kind="message/delivery-status", body=b"Hello"),
    "partial and external": multipart(
        b"Content-Type: message/partial; id=x\r\n\r\nx", b"Content-Type: message/external-body\r\n\r\nx"
    ),
    "a thousand encoded words": b"Subject: " + b"=?utf-8?q?=C3?= " * 5_000 + b"\r\n\r\nHello",
    "broken addresses": b"From: " + b"<" * 5_000 + b"@" * 5_000 + b">,;:()\r\nTo: ((((\r\n\r\nHello",
    "nested comments": b"From: " + b"(" * 5_000 + b"\r\nMessage-ID: " + b"<(" * 5_000 + b"\r\n\r\nHello",
    "a thousand references": b"References: " + b"<a@b> " * 20_000 + b"\r\n\r\nHello",
    "a broken date and id": b"Date: \xff\r\nMessage-ID: <\xff\xfe>\r\nIn-Reply-To: <[>\r\n\r\nHello",
    "one line of a million": HEAD + b"\r\n" + b"a" * 1_000_000,
    "only quotes": HEAD + b"\r\n" + b"> \r\n" * 50_000,
    "only attributions": HEAD + b"\r\n" + b"On Monday Ann wrote:\r\n" * 20_000 + b"> x\r\ny",
    "HTML of brackets": part(kind="text/html", body=b"<" * 1_000_000),
    "HTML of comments": part(kind="text/html", body=b"<!--" * 500_000),
    "HTML of scripts": part(kind="text/html", body=b"<script" * 300_000),
    "HTML of links": part(kind="text/html", body=b'<a href="http://x">' * 100_000),
    "HTML of closing links": part(kind="text/html", body=b'<a href="http://x">x</a>' * 60_000),
    "HTML of quotes": part(kind="text/html", body=b"<blockquote>x" * 10_000),
    "HTML of references": part(kind="text/html", body=b"&#xd800;&#0;&#99999999999999999999;" * 1_000),
}
