"""Lists like `- happy: 40%`, without an object."""

import re

from ambi_tasks.answers.objects import NUMBER, Entries, Scalar
from ambi_tasks.answers.outcome import Repair
from ambi_tasks.answers.vocabulary import Vocabulary

# A comma before a digit may be a decimal one, so the item is left whole and is then no entry.
_BETWEEN_ITEMS = re.compile(r"[\n;\uff1b]|[,\uff0c](?![0-9])")
_BULLET = re.compile(
    r"[\s>|]*(?:(?:[-+*\u2013\u2022]|[0-9]{1,2}[.)])\s+)?(?:and\s+)?", re.IGNORECASE
)
_ITEM_VALUE = re.compile(rf"[:=|\uff1a]\s*[\"'*_`]*\s*(?P<number>{NUMBER})[\s\"'*_`|.]*\Z")
_MAX_ITEM = 300


def plain_entries(text: str, vocabulary: Vocabulary, notes: set[Repair]) -> Entries:
    """The entries of a list like `- happy: 40%`; none unless it has every label exactly once."""
    entries: Entries = []
    around: set[Repair] = set()
    for item in _BETWEEN_ITEMS.split(text):
        value = _ITEM_VALUE.search(item[-_MAX_ITEM:])
        if value:
            head = item[-_MAX_ITEM:][: value.start()]
            lead, _, key = head.replace("\uff1a", ":").rpartition(":")
            entries.append((key[_bullet_length(key) :], Scalar("number", value["number"])))
            around |= {Repair.SURROUNDING_TEXT} if lead or len(item) > _MAX_ITEM else set()
        elif item.strip():
            fence = item.strip().startswith(("```", "~~~"))
            around.add(Repair.CODE_FENCE if fence else Repair.SURROUNDING_TEXT)
    listed = [index for key, _ in entries if (index := vocabulary.find(key)) is not None]
    if sorted(listed) != list(range(vocabulary.size)):
        return []
    notes |= around
    return entries


def _bullet_length(key: str) -> int:
    bullet = _BULLET.match(key)
    return bullet.end() if bullet else 0
