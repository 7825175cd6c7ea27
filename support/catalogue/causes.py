"""A cause as the catalogue holds it, before it is a row."""

from dataclasses import dataclass

from redemption.refusals import RefusalReason


@dataclass(frozen=True, slots=True)
class CauseText:
    """`reasons`: the refusals by which the checks prove it; none where no check can know. `says`: the reply's middle,
    which a greeting and a name enclose."""

    title: str
    question: str
    remedy: str
    says: str
    reasons: tuple[RefusalReason, ...] = ()

    @property
    def reply(self) -> str:
        return f"Hello {{requester}},\n\n{self.says}\n\nKind regards\n{{agent}}"
