"""Reading mails: what people's programs write, and what nobody should."""

import random
import time

import pytest

from support.mail.html_text import text_of
from support.mail.incoming import LONGEST_TEXT, MOST_FILES, Automatic, parse
from support.mail.quoting import split
from tests.support.mail.hostile import HOSTILE
from tests.support.mail.mails import HEAD, PNG, mail, multipart, part

# --- What programs write


def test_plain_text_is_preferred_to_html_unless_it_is_empty():
    assert parse(mail("Plain", html="<p>HTML")).text == "Plain"
    assert parse(mail("\n", html="<p>HTML")).text == "HTML"


def test_an_html_mail_becomes_text_that_loads_nothing():
    html = (
        "<html><head><title>T</title><style>p{}</style></head><body><script>alert(1)</script><!-- hidden -->"
        "<p>It says <b>not&nbsp;valid</b>.<br>Why?</p><ul><li>one<li>two</ul>"
        '<img src="https://spy.example/x.gif" alt="logo"><a href="https://open.spotify.com/track/1">my song</a>'
        "<table><tr><td>Card</td><td>123</td></tr></table></body></html>"
    )
    assert parse(mail("", html=html)).text == (
        "It says not valid.\nWhy?\n\none\ntwo\n[logo]my song <https://open.spotify.com/track/1>\n\nCard 123"
    )


def test_what_html_quotes_is_quoted():
    html = '<div>GB</div><div class="q">On Monday, Desk wrote:<blockquote>Which country?<br>Thanks</blockquote></div>'
    parsed = parse(mail("", html=html))
    assert (parsed.text, parsed.quoted) == ("GB", "On Monday, Desk wrote:\n> Which country?\n> Thanks")


def test_inline_pictures_and_attachments_are_files_and_texts_between_them_stay():
    raw = multipart(
        b"Content-Type: text/plain\r\n\r\nFirst",
        b"Content-Type: image/png; name=photo.png\r\nContent-Disposition: inline\r\nContent-ID: <p1>\r\n\r\nnot base64",
        b"Content-Type: text/plain\r\n\r\nSecond",
        b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=log.txt\r\n\r\nline",
    )
    parsed = parse(raw)
    assert parsed.text == "First\n\nSecond"
    assert [(file.name, file.content_type) for file in parsed.files] == [
        ("photo.png", "image/png"),
        ("log.txt", "text/plain"),
    ]


def test_pictures_of_an_html_mail_are_files_beside_its_plain_text():
    related = (
        b'Content-Type: multipart/related; boundary="r"\r\n\r\n--r\r\nContent-Type: text/html\r\n\r\n<p>HTML'
        b'<img src="cid:p1">\r\n--r\r\nContent-Type: image/png\r\nContent-ID: <p1>\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--r--"
    )
    parsed = parse(multipart(b"Content-Type: text/plain\r\n\r\nPlain", related, kind="alternative"))
    assert parsed.text == "Plain"
    assert [(file.name, file.data) for file in parsed.files] == [("file-1", PNG[:8])]


def test_a_forwarded_mail_brings_its_words_and_its_files():
    inner = mail("Your receipt", subject="Receipt 77", files=[("r.png", PNG, "image/png")])
    parsed = parse(
        multipart(b"Content-Type: text/plain\r\n\r\nSee below", b"Content-Type: message/rfc822\r\n\r\n" + inner)
    )
    assert parsed.text == "See below\n\nForwarded: Receipt 77\n\nYour receipt"
    assert [file.name for file in parsed.files] == ["r.png"]


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("iso-8859-1", b"Gru\xdf"),
        ("utf-8", b"Gru\xc3\x9f"),
        ("windows-1252", b"Gru\xdf"),
        ("utf-16", "Gruß".encode("utf-16")),
        ("x-unknown", b"Gru\xc3\x9f"),
        ("x-unknown", b"Gru\xdf"),
        ("utf-8", b"Gru\xdf"),
        ("us-ascii", b"Gru\xc3\x9f"),
        ("hex", b"Gru\xdf"),
        ("a\x00b", b"Gru\xdf"),
        ('"', b"Gru\xdf"),
    ],
)
def test_odd_and_wrong_charsets_are_read_as_well_as_can_be(charset, data):
    assert parse(part(kind=f"text/plain; charset={charset}", body=data)).text == "Gruß"


@pytest.mark.parametrize(
    ("subject", "read"),
    [
        (b"=?utf-8?b?R3J1w58=?=", "Gruß"),
        (b"=?iso-8859-1?q?Gru=DF?= dich", "Gruß dich"),
        (b"Gru\xc3\x9f", "Gruß"),
        (b"Gru\xdf", "Gruß"),
        (b"=?x-unknown?q?Gru=DF?=", None),
        (b"=?utf-8?b?R3J1w5", None),
        (b"a\r\n b\r\n\tc", "a b c"),
        (b"nul\x00", "nul"),
    ],
)
def test_subjects_in_every_dress(subject, read):
    parsed = parse(HEAD.replace(b"Card", subject) + b"\r\nHello")
    assert (parsed.text, parsed.sender) == ("Hello", "ada@example.com")
    assert read is None or parsed.subject == read


@pytest.mark.parametrize(
    ("header", "sender", "name"),
    [
        ("ada@example.com", "ada@example.com", ""),
        ("<ADA@Example.com>", "ada@example.com", ""),
        ('"Lovelace, Ada" <ada@example.com>', "ada@example.com", "Lovelace, Ada"),
        ("=?utf-8?q?Ada_L=C3=B6v?= <ada@example.com>", "ada@example.com", "Ada Löv"),
        ("bob@example.org <ada@example.com>", "ada@example.com", "bob@example.org"),
        ("Ada <not an address>", "", "Ada"),
        ("undisclosed-recipients:;", "", None),
        ("", "", ""),
        ("(((((", "", None),
        ("Ada <ada@ex\x00ample.com>", "", None),
    ],
)
def test_senders(header, sender, name):
    parsed = parse(f"From: {header}\r\n\r\nHello".encode())
    assert (parsed.sender, parsed.text) == (sender, "Hello")
    assert name is None or parsed.sender_name == name


def test_a_mail_without_an_id_is_known_by_its_bytes():
    one, same, other = parse(b"From: a@b.example\n\nx"), parse(b"From: a@b.example\n\nx"), parse(b"\n\ny")
    assert one.message_id == same.message_id != other.message_id
    assert parse(f"Message-ID: <{'x' * 300}@example.com>\n\nx".encode()).message_id.endswith("without-id.invalid>")


def test_a_read_receipt_is_no_bounce():
    raw = HEAD + b'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n\r\n--b--'
    assert parse(raw).automatic is Automatic.ANSWER


# --- What nobody should write


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_raises_nothing_and_leaves_what_the_database_takes(name):
    started = time.monotonic()
    parsed = parse(HOSTILE[name])
    for text in (parsed.text, parsed.quoted, parsed.subject, parsed.sender_name, *(file.name for file in parsed.files)):
        assert "\x00" not in text
        text.encode()
    assert len(parsed.text) <= LONGEST_TEXT + 100
    assert 0 < len(parsed.message_id) <= 250
    # Seconds for a megabyte: nothing is quadratic.
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("name", [name for name in HOSTILE if b"Hello" in HOSTILE[name]])
def test_what_can_be_read_of_a_broken_mail_is_kept(name):
    if name != "RFC 2231 gone wrong":
        assert "Hello" in parse(HOSTILE[name]).text


def test_thirty_megabytes_and_a_thousand_parts_are_taken():
    big = parse(mail("See the photo", files=[("photo.png", bytes(30_000_000), "image/png")]))
    assert (big.text, len(big.files[0].data)) == ("See the photo", 30_000_000)
    many = parse(multipart(*[b"Content-Type: image/png\r\n\r\nx"] * 1_200, b"Content-Type: text/plain\r\n\r\nHi"))
    assert (len(many.files), many.files_left_out > 900) == (MOST_FILES, True)


def test_a_long_text_is_cut_and_says_so():
    parsed = parse(mail("word " * 30_000))
    assert parsed.text.endswith("more characters, which were not kept.)")
    assert len(parsed.text) < LONGEST_TEXT + 200


def test_no_mutation_of_a_mail_raises():
    chance = random.Random(7)
    good = mail("Grüße", html="<p>Grüße", files=[("r.png", PNG, "image/png")], references="<1@x> <2@x>")
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(chance.randint(1, 20)):
            at = chance.randrange(len(raw))
            raw[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        assert parse(bytes(raw)).message_id


# --- Quoted text


@pytest.mark.parametrize(
    ("text", "reply", "quoted"),
    [
        ("GB", "GB", ""),
        ("GB\n\n> Which?", "GB", "> Which?"),
        ("GB\n\nOn Mon, 1 Jun 2026 at 10:00, Desk <d@x> wrote:\n> Which?\n>\n> Bye\n", "GB", None),
        ("GB\n\nOn Mon, 1 Jun 2026 at 10:00, Desk\n<d@x> wrote:\n\n> Which?", "GB", None),
        ("GB\n\nOn Mon, 1 Jun 2026, Desk <d@x> wrote:\nWhich?\nBye", "GB", None),
        ("GB\n\nAm 01.06.2026 um 10:00 schrieb Desk <d@x>:\n> Which?", "GB", None),
        ("GB\n\nLe lun. 1 juin 2026 à 10:00, Desk <d@x> a écrit :\n> Which?", "GB", None),
        ("GB\n\nEl lun, 1 jun 2026, Desk escribió:\n> Which?", "GB", None),
        ("GB\n\nDen mån 1 juni 2026 kl 10:00 skrev Desk <d@x>:\n> Which?", "GB", None),
        ("GB\n\n-----Original Message-----\nFrom: Desk\nWhich?", "GB", None),
        ("GB\n\n________________________________\nFrom: Desk <d@x>\nSent: Monday\nTo: Ada\n\nWhich?", "GB", None),
        ("GB\n\nVon: Desk <d@x>\nGesendet: Montag\n\nWhich?", "GB", None),
        ("GB\n\n> Which?\n\n-- \nAda", "GB\n\n> Which?\n\n-- \nAda", ""),
        # Answers between and below.
        ("> Which?\n\nGB", "GB", "> Which?"),
        ("On Monday Desk wrote:\n> Which?\n\nGB", "GB", "On Monday Desk wrote:\n> Which?"),
        ("On Monday Desk wrote:\n> Which?\nGB\n> And when?\nYesterday", None, None),
        # Nothing of his own, or nothing but what he passes on: all of it is his.
        ("> Which?", "> Which?", ""),
        (
            "-----Original Message-----\nFrom: Shop\nYour receipt",
            "-----Original Message-----\nFrom: Shop\nYour receipt",
            "",
        ),
        # Sentences that only look so.
        ("On the card somebody wrote: void", "On the card somebody wrote: void", ""),
        ("From: the shop\nI bought it", "From: the shop\nI bought it", ""),
    ],
)
def test_the_reply_is_told_from_what_it_repeats_and_nothing_is_lost(text, reply, quoted):
    found = split(text)
    assert reply is None or found.reply == reply
    assert quoted is None or found.quoted == quoted
    words = sorted(text.split())
    assert sorted(f"{found.reply} {found.quoted}".split()) == words


def test_answers_between_quoted_lines_keep_what_they_answer():
    text = "> Which?\nGB\n> And when?\nYesterday"
    assert split(text).reply == text


def test_an_empty_html_mail_is_empty():
    assert text_of("<html><body><br><br></body></html>") == ""
