"""A program's platform has a key, whose secret nobody kept."""

from redemption.models import PLATFORM_SCOPES
from redemption.roles import Role
from support.actions import keys
from support.demo.diary import Diary
from support.demo.programs import MUSIC


def write(diary: Diary) -> None:
    program, by = diary.world.programs[MUSIC], diary.world.people[Role.ADMINISTRATOR]
    diary.note(
        diary.world.ago(40, 10),
        lambda at: keys.make_platform_key(program=program, name="Account pages", scopes=PLATFORM_SCOPES, by=by, now=at),
    )
