"""Prompts: Jinja templates with front matter, each with an id and a hash that go into the results.

A template is one file of the folder `templates`: YAML front matter between two `---` lines (id,
version, purpose, placeholders), then the text. The clip is not part of it: adapters put the audio
in front of the text, in the same user turn, so that everything that varies comes after the audio.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from ambi_tasks.errors import UserError

_PACKAGE = Path(__file__).parent


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
        text: The Jinja source, without the front matter.
    """

    id: str
    version: int
    purpose: str
    placeholders: tuple[str, ...]
    text: str

    @property
    def sha256(self) -> str:
        """Hash of the template's text: two results with equal hashes asked the same question."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def render(self, **values: Any) -> str:
        """Fill the placeholders.

        Raises:
            UserError: A placeholder has no value, or a value has no placeholder.
        """
        if set(values) != set(self.placeholders):
            raise UserError(
                f"Prompt '{self.id}' takes {sorted(self.placeholders)}, but got {sorted(values)}."
            )
        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=False,
            autoescape=False,  # noqa: S701 - the text goes to a model, never into HTML
        )
        try:
            return environment.from_string(self.text).render(values).strip()
        except jinja2.TemplateError as error:
            raise UserError(f"Prompt '{self.id}' cannot be rendered: {error}.") from error


def parse_template(source: str, where: str) -> Prompt:
    """Read a template's front matter and text.

    Args:
        source: The file's content.
        where: The file's name, for messages.

    Raises:
        UserError: The front matter is missing, malformed or incomplete.
    """
    parts = source.replace("\r\n", "\n").split("---\n", 2)
    if len(parts) != 3 or parts[0].strip():  # noqa: PLR2004 - nothing, front matter, text
        raise UserError(f"{where}: a template starts with front matter between two '---' lines.")
    try:
        front = yaml.safe_load(parts[1])
        return Prompt(
            id=str(front["id"]),
            version=int(front["version"]),
            purpose=str(front["purpose"]),
            placeholders=tuple(str(name) for name in front["placeholders"]),
            text=parts[2].strip(),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{where}: the front matter needs id, version, purpose and placeholders ({error})."
        ) from error


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
        raise UserError(f"There is no prompt '{name}'; there are: {', '.join(known)}.")
    path = known[name]
    prompt = parse_template(path.read_text(encoding="utf-8"), path.name)
    if prompt.id != name:
        raise UserError(f"{path.name}: its id is '{prompt.id}', but it must be '{name}'.")
    return prompt
