"""A desk that has answered for years: tickets, messages and history, written by the database itself.

Every choice is by chance with a fixed seed. One ticket of twelve is unfinished, wherever in the table; a word is the
rarer the later it stands in the vocabulary, as in a language.
"""

from datetime import UTC, datetime

from django.db import connection

from redemption.models import Account, Product, Program, Retailer, User
from redemption.models.program import CodeFormat
from redemption.roles import Role
from tests.bench import world

PROGRAMS, RETAILERS, PEOPLE, WORDS, TEXTS = 8, 200, 100, 5_000, 20_000
MESSAGES = 4
_SYLLABLES = [consonant + vowel for consonant in "bdkl" for vowel in "aeiou"]


def word(number: int) -> str:
    """Of the vocabulary: 0 stands in most texts."""
    return "".join(_SYLLABLES[number // 20**place % 20] for place in (2, 1, 0)) + "rsnm"[number % 4]


def people() -> None:
    """Who and what tickets are about: programs, retailers, agents, 10,000 accounts, 20,000 cards."""
    world.build(10_000)
    for number in range(PROGRAMS - 1):
        program = Program.objects.create(name=f"Program {number}", slug=f"program-{number}", digest_name=f"p{number}")
        CodeFormat.objects.create(program=program, version=1, prefix=f"PRO{number}")
    Retailer.objects.bulk_create(Retailer(name=f"Shop {n}", slug=f"shop-{n}") for n in range(RETAILERS))
    User.objects.bulk_create(
        User(email=f"agent-{n}@example.com", name=f"Agent {n}", role=Role.AGENT, password="!") for n in range(PEOPLE)
    )
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_word (number int PRIMARY KEY, word text)")
        cursor.executemany("INSERT INTO bench_word VALUES (%s, %s)", [(n, word(n)) for n in range(WORDS)])
        cursor.execute("CREATE TABLE bench_text (number int PRIMARY KEY, short text, long text)")
        cursor.execute("SELECT setseed(0.5)")
        # The powers make the first words frequent.
        cursor.execute(
            f"""INSERT INTO bench_text
            SELECT text, string_agg(word, ' ') FILTER (WHERE place <= 5), string_agg(word, ' ')
            FROM (SELECT text, place, floor({WORDS} * power(random(), 4))::int AS number
                  FROM generate_series(0, {TEXTS - 1}) AS text, generate_series(1, 40) AS place) AS chosen
            JOIN bench_word USING (number) GROUP BY text"""
        )


def fill(first: int, last: int) -> None:
    """Tickets of these ids, each with four messages and two lines of history."""
    account = Account.objects.order_by("pk").first()
    known = {
        "first": first,
        "last": last,
        "now": datetime.now(UTC),
        "program": _first(Program),
        "retailer": _first(Retailer),
        "agent": User.objects.filter(role=Role.AGENT).order_by("pk").values_list("pk", flat=True)[0],
        "account": account.pk if account else None,
        "serial": Product.objects.order_by("pk").values_list("batches__serials", flat=True)[0].lower,
    }
    with connection.cursor() as cursor:
        # The rows are right: what would look after each of them is left out, and words are indexed in the end.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SELECT setseed(0.25)")
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE indexname = ANY(%s)", [["ticket_words", "message_words"]]
        )
        words = cursor.fetchall()
        for name, _ in words:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute(_TICKETS, known)
        for place in range(MESSAGES):
            cursor.execute(_MESSAGES, {**known, "place": place})
        for kind in ("opened", "changed"):
            cursor.execute(_EVENTS, {**known, "kind": kind})
        for _, definition in words:
            cursor.execute(definition)
        cursor.execute("SELECT setval(pg_get_serial_sequence('support_ticket', 'id'), %s)", [last])
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def reference(number: int) -> str:
    symbols = f"{number:012X}"
    return f"TK-{symbols[:4]}-{symbols[4:8]}-{symbols[8:]}"


def email(number: int) -> str:
    """The requester's of this ticket; each has two or three."""
    return f"person-{number % 200_000}@example.com"


def _first(model: type[Program] | type[Retailer]) -> int:
    # The bench's own program and retailer are the ones before.
    return int(model.objects.order_by("pk").values_list("pk", flat=True)[0])


_TICKETS = f"""
INSERT INTO support_ticket (id, reference, channel, subject, requester_name, requester_email, account_id, code_id,
    program_id, retailer_id, status, priority, assignee_id, tags, error_message, surface, steps_tried, is_problem,
    merged_into_id, created_at, updated_at, first_responded_at, solved_at, next_deadline, waited, version)
SELECT id, regexp_replace(lpad(upper(to_hex(id)), 12, '0'), '(....)(....)(....)', 'TK-\\1-\\2-\\3'),
    (ARRAY['email','email','email','web','web','chat','phone','retailer','social'])[1 + floor(a * 9)::int],
    short, 'Person ' || mod(id, 200000), 'person-' || mod(id, 200000) || '@example.com',
    CASE WHEN b < 0.5 THEN %(account)s::bigint + mod(id, 10000) END,
    CASE WHEN c < 0.3 THEN %(serial)s::bigint + mod(id, 10000) END,
    %(program)s::bigint + floor(d * {PROGRAMS})::int,
    CASE WHEN e < 0.4 THEN %(retailer)s::bigint + floor(e * 2.5 * {RETAILERS})::int END,
    status, (ARRAY[1,1,2,2,2,2,2,3,3,4])[1 + floor(f * 10)::int],
    CASE WHEN status IN ('solved', 'closed') OR g < 0.6 THEN %(agent)s::bigint + floor(h * {PEOPLE})::int END,
    CASE WHEN i < 0.3 THEN ARRAY['tag-' || floor(power(j, 3) * 300)::int] ELSE ARRAY[]::varchar[] END,
    CASE WHEN k < 0.7 THEN 'This code is not valid' ELSE '' END, 'web', '{{}}', false,
    CASE WHEN status = 'closed' AND l < 0.02 AND id > 1 THEN id - 1 END,
    created, created, created, CASE WHEN status IN ('solved', 'closed') THEN created + interval '1 day' END,
    CASE WHEN status IN ('new', 'open') THEN %(now)s::timestamptz + (m - 0.2) * interval '5 days' END, interval '0', 3
FROM (
    SELECT id, short, a, b, c, d, e, f, g, h, i, j, k, l, m,
        %(now)s::timestamptz - (1 - id / 600000.0) * interval '3 years' AS created,
        (ARRAY['new','open','open','waiting_for_customer','waiting_for_retailer','solved','closed'])
            [CASE WHEN n < 0.08 THEN 1 + floor(n / 0.08 * 5)::int WHEN n < 0.3 THEN 6 ELSE 7 END] AS status
    FROM (
        SELECT id, random() a, random() b, random() c, random() d, random() e, random() f, random() g, random() h,
            random() i, random() j, random() k, random() l, random() m, random() n
        FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS id
    ) AS chances JOIN bench_text ON bench_text.number = mod(chances.id, {TEXTS})
    ORDER BY chances.id
) AS chosen"""
# One order number in four is in no other message.
_MESSAGES = f"""
INSERT INTO support_message (ticket_id, kind, author_id, author_name, body, quoted, at, mail_state)
SELECT ticket, kind, CASE WHEN kind = 'customer' THEN NULL ELSE %(agent)s::bigint + mod(ticket, {PEOPLE}) END, '',
    CASE WHEN mod(ticket, 4) = %(place)s::int THEN long || ' order ' || 700000000 + ticket ELSE long END, '',
    %(now)s::timestamptz - (1 - ticket / 600000.0) * interval '3 years', 'none'
FROM (
    SELECT ticket, (ARRAY['customer', 'reply', 'customer', 'note'])[1 + %(place)s::int] AS kind
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS ticket
) AS written JOIN bench_text ON bench_text.number = mod(ticket * 7 + %(place)s::int * 4999, {TEXTS})
ORDER BY ticket"""
_EVENTS = f"""
INSERT INTO support_ticketevent (ticket_id, at, by_id, kind, changes)
SELECT ticket, %(now)s::timestamptz, %(agent)s::bigint + mod(ticket, {PEOPLE}), %(kind)s::varchar, '{{}}'
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS ticket"""
