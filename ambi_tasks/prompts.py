"""Prompts: Jinja templates with front matter, each with an id and a hash that go into the results.

A template is one file of the folder `templates`: YAML front matter between two `---` lines (id,
version, purpose, placeholders, the author's note; a verifier's also says how it answers: on a
`scale`, or by one of two `answers`), then the text. The clip is not part of it: adapters put the
audio in front of the text, in the same user turn, so that all that varies comes after the audio.
"""

import hashlib
import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import yaml

from ambi_tasks.errors import UserError, nearest

_PACKAGE = Path(__file__).parent
_TEMPLATE = re.compile(
    r"\s*^---[ \t]*\n(?P<front>.*?)^---[ \t]*(?:\n(?P<text>.*))?\Z", re.DOTALL | re.MULTILINE
)
_FIELDS = {"id": str, "version": int, "purpose": str, "placeholders": list, "note": str}
_READ_OUTS: dict[str, tuple[type, ...]] = {"scale": (int, float), "answers": (str,)}
_KINDS = {str: "a text", int: "a whole number", list: "a list"}
_ENVIRONMENT = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701 - the text goes to a model, never into HTML
)


@cache
def template_folder() -> Path:
    """The folder of the templates: inside the package in a wheel, beside it in a checkout."""
    inside, beside = _PACKAGE / "templates", _PACKAGE.parent / "templates"
    return inside if inside.is_dir() else beside


@dataclass(frozen=True, slots=True)
class Prompt:
    """One template.

    Attributes:
        id: Name of the wording; results name it.
        version: Raised with every change of the text.
        purpose: One sentence for people.
        placeholders: The names that `render` takes, all of them needed.
        note: Why the author chose to ask so.
        text: The Jinja source, without the front matter.
        scale: Lowest and highest rating that a verifier is asked for, None of other prompts.
        answers: What a verifier says for and against, None of other prompts.
    """

    id: str
    version: int
    purpose: str
    placeholders: tuple[str, ...]
    note: str
    text: str
    scale: tuple[float, float] | None = None
    answers: tuple[str, str] | None = None

    @property
    def sha256(self) -> str:
        """Hash of the template's text: two results with equal hashes asked the same question."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """What results say of it."""
        return {"id": self.id, "version": self.version, "sha256": self.sha256}

    def render(self, **values: Any) -> str:
        """Fill the placeholders.

        Raises:
            UserError: A placeholder has no value, or a value has no placeholder.
        """
        if set(values) != set(self.placeholders):
            raise UserError(
                f"Prompt '{self.id}' takes {sorted(self.placeholders)}, but got {sorted(values)}."
            )
        try:
            return _compiled(self.text).render(values).strip()
        except jinja2.TemplateError as error:
            raise UserError(f"Prompt '{self.id}' cannot be rendered: {error}.") from error


@cache
def _compiled(text: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(text)


def parse_template(source: str, where: str) -> Prompt:
    """Read a template's front matter and text.

    Args:
        source: The file's content.
        where: The file's name, for messages.

    Raises:
        UserError: The front matter is missing, malformed or incomplete, or the text does not use
            exactly the placeholders.
    """
    match = _TEMPLATE.match(source.removeprefix("\ufeff").replace("\r\n", "\n"))
    if match is None:
        raise UserError(f"{where}: a template starts with front matter between two '---' lines.")
    front = _front_matter(match["front"], where)
    text = (match["text"] or "").strip()
    if not text:
        raise UserError(f"{where}: there is no text after the front matter.")
    try:
        syntax_tree = _ENVIRONMENT.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"{where}: the text is not a Jinja template ({error}).") from error
    used = jinja2.meta.find_undeclared_variables(syntax_tree) - set(_ENVIRONMENT.globals)
    if used != set(front["placeholders"]):
        raise UserError(
            f"{where}: the text uses {sorted(used)}, but the front matter's placeholders are "
            f"{sorted(front['placeholders'])}."
        )
    return Prompt(
        id=front["id"],
        version=front["version"],
        purpose=front["purpose"],
        placeholders=tuple(front["placeholders"]),
        note=front["note"],
        text=text,
        scale=_pair(front, "scale", where),
        answers=_pair(front, "answers", where),
    )


def _front_matter(source: str, where: str) -> dict[str, Any]:
    try:
        front = yaml.safe_load(source)
    except yaml.YAMLError as error:
        raise UserError(f"{where}: the front matter is not YAML ({error}).") from error
    if not isinstance(front, dict) or set(front) - set(_READ_OUTS) != set(_FIELDS):
        found = ", ".join(map(str, front)) if isinstance(front, dict) else "no fields"
        raise UserError(
            f"{where}: the front matter needs the fields {', '.join(_FIELDS)}; it has {found}."
        )
    for name, kind in _FIELDS.items():
        if type(front[name]) is not kind:  # not isinstance: True is an int
            raise UserError(
                f"{where}: the front matter's {name} must be {_KINDS[kind]}, not {front[name]!r}."
            )
    if not all(isinstance(name, str) for name in front["placeholders"]):
        raise UserError(f"{where}: the front matter's placeholders must be names.")
    return front


def _pair(front: dict[str, Any], name: str, where: str) -> Any:
    """The two values of a read-out, None where the front matter has none."""
    if name not in front:
        return None
    values, kind = front[name], _READ_OUTS[name]
    of_kind = isinstance(values, list) and all(
        isinstance(value, kind) and not isinstance(value, bool) and value != "" for value in values
    )
    pair = of_kind and len(values) == 2 and values[0] != values[1]  # noqa: PLR2004 - a pair
    if not pair or (name == "scale" and not 0 <= values[0] < values[1] < math.inf):
        wanted = "numbers, 0 <= low < high" if name == "scale" else "different texts"
        raise UserError(f"{where}: the front matter's {name} must be two {wanted}, not {values!r}.")
    return tuple(values)


def order_labels(labels: Sequence[str], order: str) -> list[str]:
    """The order in which a prompt lists the labels.

    Args:
        labels: The labels, in the corpus's order.
        order: `given`, `reversed`, or `shuffled:SEED`, one permutation for the whole run.
    """
    if order == "given":
        return list(labels)
    if order == "reversed":
        return list(labels)[::-1]
    seed = int(order.removeprefix("shuffled:"))
    return random.Random(seed).sample(list(labels), len(labels))  # noqa: S311 - no secret


def prompt_names() -> list[str]:
    """The names of all prompts."""
    return sorted(path.stem for path in template_folder().glob("*.j2"))


@cache
def load_prompt(name: str) -> Prompt:
    """Load a prompt by name.

    Args:
        name: File name without `.j2`, e.g. `direct`.

    Raises:
        UserError: There is no such template, or it is malformed.
    """
    known = {path.stem: path for path in sorted(template_folder().glob("*.j2"))}
    if name not in known:
        raise UserError(f"There is no prompt '{name}'; {nearest(name, known)}")
    path = known[name]
    try:
        source = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path.name}: the file is not UTF-8 ({error}).") from error
    prompt = parse_template(source, path.name)
    if prompt.id != name:
        raise UserError(f"{path.name}: its id is '{prompt.id}', but it must be '{name}'.")
    return prompt
