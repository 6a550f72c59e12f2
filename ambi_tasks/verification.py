"""The second stage: a verifier hears the clip, reads the task and a candidate, and judges it.

It runs inside the standard runner. The runner calls the model once per type of request, in the
order in which the types first appear, so a request of our own type `verify` comes after the draws;
what it asks is computed from them when the runner gets there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from ambi_tasks.errors import UserError
from ambi_tasks.prediction import draw_record, read_draw
from ambi_tasks.prompts import Prompt, load_prompt
from ambi_tasks.strategies.fields import VerifiedFields

_PLACEHOLDERS = {"task", "response", "low", "high"}


class VerifyInstance(Instance):  # type: ignore[misc] # the harness is untyped
    """One utterance's candidates, to be judged.

    Its `args` are (questions, how, attachments): one question per draw, None where the draw could
    not be read, since it will have no weight; `how` is either the decoding of a verdict, in the
    harness's words, or `{"answers": [yes, no]}`, whose log-likelihoods are wanted. A model answers
    with one list per request, aligned to the questions.
    """

    def __init__(
        self,
        draws: Instance,
        task: str,
        attachments: Mapping[str, Any],
        settings: VerifiedFields,
    ) -> None:
        """Bind the request to the one whose draws it judges.

        Args:
            draws: The first stage's request.
            task: The question that the draws answer.
            attachments: The audio.
            settings: What is set of the strategy.
        """
        super().__init__(
            request_type="verify",
            doc=draws.doc,
            arguments=(task, attachments),
            idx=draws.idx + 1,
            metadata=(*draws.metadata[:2], 1),
        )
        self._draws = draws
        self._settings = settings

    @property
    def args(self) -> tuple[tuple[str | None, ...], dict[str, Any], Mapping[str, Any]]:
        """The questions, how to answer them, and the audio; once the draws are there."""
        task, attachments = self.arguments
        draws = self._draws.resps[: self._settings.pool]
        prompt = verifier_prompt(self._settings)
        questions = tuple(
            _question(prompt, task, draw, self.doc["labels"], self._settings) for draw in draws
        )
        return questions, _how(prompt, self._settings), attachments


def verifier_prompt(settings: VerifiedFields) -> Prompt:
    """The verifier's template.

    Raises:
        UserError: There is none of that name, it does not ask for this kind of score, or its scale
            is not the one that is set and cannot be changed.
    """
    prompt = load_prompt(settings.verifier_prompt or f"verifier_{settings.score}")
    needed = "scale" if settings.score == "rating" else "answers"
    if getattr(prompt, needed) is None:
        raise UserError(
            f"The prompt '{prompt.id}' cannot be the verifier's where score is "
            f"'{settings.score}': its front matter has no '{needed}'."
        )
    if unknown := sorted(set(prompt.placeholders) - _PLACEHOLDERS):
        raise UserError(
            f"The prompt '{prompt.id}' cannot be a verifier's: it has the placeholder "
            f"'{unknown[0]}', and a verifier's has {', '.join(sorted(_PLACEHOLDERS))} alone."
        )
    fixed = not {"low", "high"} <= set(prompt.placeholders)
    if fixed and settings.scale is not None and settings.scale != prompt.scale:
        low, high = settings.scale
        raise UserError(
            f"The prompt '{prompt.id}' cannot ask for a scale from {low:g} to {high:g}, since "
            "it lacks the placeholders low and high; leave scale unset, or set another "
            "verifier_prompt."
        )
    return prompt


def verdict_record(verdict: Any) -> dict[str, Any] | None:
    """A verdict as JSON-able data; None where none was asked for.

    Args:
        verdict: A text with its evidence, or the log-likelihoods of yes and of no.
    """
    if verdict is None:
        return None
    if isinstance(verdict, str):
        return draw_record(verdict)
    return {"log_likelihoods": [float(value) for value in verdict]}


def _question(
    prompt: Prompt, task: str, draw: str, labels: Sequence[str], settings: VerifiedFields
) -> str | None:
    if read_draw(draw_record(draw), labels).distribution is None:
        return None
    low, high = settings.scale or (0, 1)
    values = {"task": task, "response": str(draw).strip(), "low": f"{low:g}", "high": f"{high:g}"}
    return prompt.render(**{name: values[name] for name in prompt.placeholders})


def _how(prompt: Prompt, settings: VerifiedFields) -> dict[str, Any]:
    if settings.score == "probability":
        assert prompt.answers is not None
        return {"answers": list(prompt.answers)}
    return {"do_sample": False, "max_gen_toks": settings.verifier_tokens}
