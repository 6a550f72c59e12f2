"""The asynchronous half of an order: its requests, and what is handed over when one is answered."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ambi_tasks.errors import UserError
from model_adapters.backend import Answer, Conversation, DrawOrder, Score, ScoreOrder
from model_adapters.chat_api.client import Client, Load
from model_adapters.chat_api.faults import SeveralRefusedError, StopError, WithheldError
from model_adapters.chat_api.read_out import score_behind, scores_of_rivals
from model_adapters.chat_api.record import Record
from model_adapters.chat_api.stream import Emit, together
from model_adapters.chat_api.wire import (
    Dialect,
    PromptToken,
    read_answers,
    read_prompt,
    read_rivals,
    withheld,
)

_log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows the children of its own logger

_Found = TypeVar("_Found")
Drawn = tuple[int, int, Answer]
Scored = tuple[int, list[Score]]


@dataclass(frozen=True, slots=True)
class DrawTask:
    """What one request asks for.

    Attributes:
        position: Of the order among all.
        order: What is wanted.
        indices: Which draws of it: consecutive ones, or those wanted of all beams.
        load: What the request takes.
    """

    position: int
    order: DrawOrder
    indices: tuple[int, ...]
    load: Load


@dataclass(frozen=True, slots=True)
class Work:
    """Asks by way of a client, in a dialect.

    Attributes:
        dialect: How the server is spoken to.
        client: What sends.
        record: What came of it.
    """

    dialect: Dialect
    client: Client
    record: Record

    async def draw(self, task: DrawTask, emit: Emit[Drawn]) -> None:
        """Make draws by one request, or by one each where the server makes no more of a request."""
        if task.order.decoding.num_beams > 1:
            await self._search(task, emit)
            return
        made = 0
        if len(task.indices) > 1 and not self.record.several_ignored:
            try:
                answers = await self._answers(task, task.indices)
            except SeveralRefusedError:
                answers = []
            made = len(answers)
            for index, answer in zip(task.indices, answers, strict=False):
                emit((task.position, index, answer))
            if made < len(task.indices):
                self._tell_of_single_draws()
        await together(self._draw_one(task, index, emit) for index in task.indices[made:])

    async def _draw_one(self, task: DrawTask, index: int, emit: Emit[Drawn]) -> None:
        (answer,) = await self._answers(task, (index,))
        emit((task.position, index, answer))

    async def _search(self, task: DrawTask, emit: Emit[Drawn]) -> None:
        """Make one search by beams."""
        beams = tuple(range(task.order.decoding.num_beams))
        answers = await self._answers(task, beams)
        if len(answers) < len(beams):
            raise UserError(
                f"alm_api: the server gave {len(answers)} of {len(beams)} beams, so it does not "
                f"search by beams; rank sampled draws instead with "
                f'--metadata \'{{"candidates": "sample"}}\', which the results say.'
            )
        for index in task.indices:
            emit((task.position, index, answers[index]))

    async def _answers(self, task: DrawTask, indices: tuple[int, ...]) -> list[Answer]:
        """Ask for answers; one that the provider withholds is an answer too."""
        order, expected = task.order, len(indices)
        body = self.dialect.draw_request(order.conversation, order.decoding, order.key, indices)
        promised = "logprobs" in self.dialect.offers
        read = partial(read_answers, expected=expected, promised=promised)
        try:
            found = await self.client.ask(body, task.load, read)
        except WithheldError:
            found = withheld(expected)
        answers = [Answer("")] * expected if found is None else found
        for answer in answers:
            if answer.finish_reason == "content_filter":
                self.record.refusals += 1
            elif not answer.text:
                self.record.empty += 1
        return answers

    def _tell_of_single_draws(self) -> None:
        if not self.record.several_ignored:
            self.record.several_ignored = True
            _log.warning(
                "alm_api: the server makes fewer draws of a request than it is asked for (n); "
                "each is asked for alone from now on."
            )

    async def score_exactly(
        self, position: int, order: ScoreOrder, load: Load, emit: Emit[Scored]
    ) -> None:
        """Read every token of each answer behind the question."""
        question = await self._prompt(order.conversation, None, load)
        scores: dict[str, Score] = {}

        async def score(answer: str) -> None:
            whole = await self._prompt(order.conversation, answer, load)
            scores[answer] = score_behind(question, whole, answer)

        await together(score(answer) for answer in dict.fromkeys(order.continuations))
        emit((position, [scores[answer] for answer in order.continuations]))

    async def _prompt(
        self, conversation: Conversation, answer: str | None, load: Load
    ) -> list[PromptToken]:
        body = self.dialect.score_request(conversation, answer)
        return _needed(await self.client.ask(body, load, read_prompt))

    async def score_by_rivals(
        self, position: int, order: ScoreOrder, load: Load, emit: Emit[Scored]
    ) -> None:
        """Read the probabilities of the first token."""
        body = self.dialect.rivals_request(order.conversation)
        rivals = _needed(await self.client.ask(body, load, read_rivals))
        scores, missing = scores_of_rivals(rivals, order.continuations)
        self.record.missing_mass.append(missing)
        emit((position, scores))


def _needed(found: _Found | None) -> _Found:
    if found is None:
        raise StopError(
            "alm_api: the server gave no answer from which the labels' probabilities could be read."
        )
    return found
