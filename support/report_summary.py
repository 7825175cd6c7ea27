"""How many of a report's cards got which answer, and what came of them: what its retailer reads in mails, papers
and the portal.

Reads what the portal may read, so it works within the wall as well.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from support.models import Answer, CompromiseReport, Outcome, is_undecided


@dataclass(frozen=True, slots=True)
class Summary:
    """Cards by answer and by outcome, in the order of these; none that no card has. `open` are still to be judged;
    `last` is when each outcome was decided for the last time."""

    answers: tuple[tuple[Answer, int], ...]
    outcomes: tuple[tuple[Outcome, int], ...]
    open: int
    last: dict[Outcome, datetime]

    def __str__(self) -> str:
        counts = (f"{name} {count}" for part in (self.answers, self.outcomes) for name, count in part)
        return ", ".join(counts)


def summary(report: CompromiseReport) -> Summary:
    rows = report.cards.order_by().values_list("answer", "outcome").annotate(Count("pk"), Max("decided_at"))
    answers = dict.fromkeys(Answer, 0)
    outcomes = dict.fromkeys(Outcome, 0)
    last: dict[Outcome, datetime] = {}
    still_open = 0
    for answer, outcome, count, decided_at in rows:
        answers[Answer(answer)] += count
        if outcome:
            outcomes[Outcome(outcome)] += count
            last[Outcome(outcome)] = max(last.get(Outcome(outcome), decided_at), decided_at)
        elif is_undecided(answer, outcome):
            still_open += count
    return Summary(
        tuple((answer, count) for answer, count in answers.items() if count),
        tuple((outcome, count) for outcome, count in outcomes.items() if count),
        still_open,
        last,
    )
