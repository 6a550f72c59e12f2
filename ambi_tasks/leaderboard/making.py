"""A finished run -> submissions."""

import datetime

import pydantic

from ambi_tasks.errors import UserError
from ambi_tasks.leaderboard.files import quoted
from ambi_tasks.leaderboard.submission import Submitter


def make_submitter(*, name: str, contact: str, link: str | None = None) -> Submitter:
    """Who stands for an entry, from today on.

    Args:
        name: A person or a group.
        contact: Where questions reach them.
        link: Paper, model card or blog post.

    Raises:
        UserError: A text is not of the letters that submissions may have.
    """
    date = datetime.datetime.now(datetime.timezone.utc).date()
    try:
        return Submitter(name=name, contact=contact, link=link, date=date)
    except pydantic.ValidationError as error:
        raise UserError(unfit(error)) from error


def unfit(error: pydantic.ValidationError) -> str:
    """What does not fit the schema, in a sentence."""
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place} is {quoted(str(first['input']))}: {first['msg']} (docs/leaderboard.md)."
