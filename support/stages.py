"""How a report's stage and its cards' answers and outcomes look: icon and tone beside the word, for all screens."""

from dataclasses import dataclass

from support.models import Answer, Outcome, Stage


@dataclass(frozen=True, slots=True)
class StageMeta:
    """As components/state.html draws it: each icon of another shape."""

    word: str
    icon: str
    tone: str


STAGES = {
    Stage.RECEIVED: StageMeta(Stage.RECEIVED.label, "move_to_inbox", "waiting"),
    Stage.FROZEN: StageMeta(Stage.FROZEN.label, "ac_unit", "blocked"),
    Stage.NEEDS_INFORMATION: StageMeta(Stage.NEEDS_INFORMATION.label, "contact_support", "waiting"),
    Stage.ANSWERED: StageMeta(Stage.ANSWERED.label, "task_alt", "good"),
}
ANSWERS = {
    Answer.PENDING: StageMeta(Answer.PENDING.label, "hourglass_empty", "waiting"),
    Answer.FROZEN: StageMeta(Answer.FROZEN.label, "ac_unit", "blocked"),
    Answer.BEFORE_SALE: StageMeta(Answer.BEFORE_SALE.label, "history", "ended"),
    Answer.AFTER_SALE: StageMeta(Answer.AFTER_SALE.label, "redeem", "spent"),
    Answer.ENDED: StageMeta(Answer.ENDED.label, "block", "ended"),
    Answer.UNKNOWN: StageMeta(Answer.UNKNOWN.label, "help", "ended"),
    Answer.BAD: StageMeta(Answer.BAD.label, "error", "ended"),
}
OUTCOMES = {
    Outcome.CONFIRMED: StageMeta(Outcome.CONFIRMED.label, "gpp_bad", "ended"),
    Outcome.CLEARED: StageMeta(Outcome.CLEARED.label, "check_circle", "good"),
    Outcome.REPLACED: StageMeta(Outcome.REPLACED.label, "swap_horiz", "good"),
    Outcome.CREDITED: StageMeta(Outcome.CREDITED.label, "add_card", "good"),
    Outcome.CLOSED: StageMeta(Outcome.CLOSED.label, "lock", "ended"),
}
