"""An adapter that keeps to everything, by a script, and others with one fault each."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ambi_tasks.audio import clip_sha256
from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    Conversation,
    DrawOrder,
    Score,
    ScoreOrder,
)
from model_adapters.scripted import ScriptedBackend


def digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def content(conversation: Conversation) -> str:
    """All that a model is shown, the sound as well."""
    return digest(
        *(
            (turn.role, turn.text, *(clip_sha256(clip) for clip in turn.clips))
            for turn in conversation
        )
    )


class Conforming(ScriptedBackend):
    """The scripted backend with a script that hears, reads and samples."""

    capabilities = Capabilities(
        beams=True, draw_log_likelihood=True, log_likelihood=True, clips=None
    )

    def __init__(
        self,
        *,
        api_key: str | None = None,
        batch_size: int = 1,
        max_batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        super().__init__(self.write, self.rate)
        self.api_key, self.batch_size, self.calls = api_key, batch_size, 0
        del max_batch_size, device

    def fingerprint(self) -> str | None:
        return "c0ffee"

    def shown(self, conversation: Conversation) -> str:
        return content(conversation)

    def noise(self, order: DrawOrder, index: int) -> str:
        return f"{order.key}/{index}"

    def write(self, order: DrawOrder, index: int) -> str:
        seen = self.shown(order.conversation)
        if order.decoding.do_sample:
            seen = digest(seen, self.noise(order, index))
        longer = " more" * (index if order.decoding.num_beams > 1 else 0)
        return f"{seen[:6]} {seen[6:12]} {seen[12:18]}{longer}"

    def rate(self, conversation: Conversation, text: str) -> float:
        seen = self.shown(conversation)
        if text == f"{seen[:6]} {seen[6:12]} {seen[12:18]}":
            return -float(len(text))
        return -float(len(text)) - int(digest(seen, text)[:4], 16) / 2**16

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        self.calls += 1
        return super().draw(orders)

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, scores in super().log_likelihoods(orders):
            asked = zip(orders[position].continuations, scores, strict=True)
            greedy = self.shown(orders[position].conversation)[:6]
            yield position, [replace(one, greedy=text.startswith(greedy)) for text, one in asked]


class Modest(Conforming):
    """Claims nothing."""

    capabilities = Capabilities(sampling=False, system_turn=False, clips=1)

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        return Backend.log_likelihoods(self, orders)  # which refuses


BROKEN: dict[str, list[type[Backend]]] = {}


def breaks(name: str) -> Any:
    """Mark an adapter as one that a check must find."""

    def mark(kind: type[Backend]) -> type[Backend]:
        BROKEN.setdefault(name, []).append(kind)
        return kind

    return mark


# --- identity ------------------------------------------------------------------------------------


@breaks("constructor_takes_the_harness_s_settings")
class Positional(Conforming):
    def __init__(self, model: str = "x", *, batch_size: int = 1) -> None:
        super().__init__(batch_size=batch_size)


@breaks("constructor_takes_the_harness_s_settings")
class WithoutDevice(Conforming):
    def __init__(self, *, batch_size: int = 1) -> None:
        super().__init__(batch_size=batch_size)


@breaks("unknown_settings_are_refused")
class TakesAnything(Conforming):
    def __init__(self, batch_size: int = 1, **settings: Any) -> None:
        super().__init__(batch_size=batch_size)


@breaks("model_name_is_stable")
class Renamed(Conforming):
    @property
    def model_name(self) -> str:
        return f"model {self.calls}"


@breaks("model_name_is_stable")
class Nameless(Conforming):
    @property
    def model_name(self) -> str:
        return " "


@breaks("fingerprint_is_stable")
class OfThisInstance(Conforming):
    def fingerprint(self) -> str | None:
        return str(id(self))


@breaks("fingerprint_is_stable")
class OfTheBatch(Conforming):
    def fingerprint(self) -> str | None:
        return f"batch{self.batch_size}"


@breaks("fingerprint_is_stable")
class APath(Conforming):
    def fingerprint(self) -> str | None:
        return "org/model"


@breaks("description_is_json")
class DescribesAnObject(Conforming):
    def describe(self) -> dict[str, object]:
        return {"model_name": self.model_name, "backend": self}


@breaks("description_is_json")
class DescribesAnother(Conforming):
    def describe(self) -> dict[str, object]:
        return {"model_name": "another"}


@breaks("nothing_secret_is_told")
class TellsItsArguments(Conforming):
    def describe(self) -> dict[str, object]:
        return {"model_name": self.model_name, "settings": {"key": self.api_key}}


@breaks("nothing_secret_is_told")
class TellsTheEnvironment(Conforming):
    def describe(self) -> dict[str, object]:
        return {"model_name": self.model_name, "key": os.environ["SOME_API_KEY"]}


@breaks("nothing_secret_is_told")
class TellsAHeader(Conforming):
    def describe(self) -> dict[str, object]:
        return {"model_name": self.model_name, "headers": "Authorization: Bearer 1234567890"}


@breaks("capabilities_are_data")
class Grows(Conforming):
    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return Capabilities(beams=self.calls > 0)


# --- drawing -------------------------------------------------------------------------------------


class _Edited(Conforming):
    """Changes the answers of the conforming one."""

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for position, index, answer in super().draw(orders):
            yield position, index, self.edit(orders, position, index, answer)

    def edit(
        self, orders: Sequence[DrawOrder], position: int, index: int, answer: Answer
    ) -> Answer:
        raise NotImplementedError


@breaks("each_draw_comes_once")
class CountsFromZero(Conforming):
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for position, index, answer in super().draw(orders):
            yield position, orders[position].indices.index(index), answer


@breaks("each_draw_comes_once")
class DrawsTwice(Conforming):
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for found in super().draw(orders):
            yield found
            yield found


@breaks("answers_are_well_formed")
class Probabilities(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, log_likelihood=0.5)


@breaks("answers_are_well_formed")
class OtherReason(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, finish_reason="eos")


@breaks("answers_are_well_formed")
class NoTokens(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, tokens=0)


@breaks("log_likelihoods_come_with_draws")
class NoLogLikelihood(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, log_likelihood=None)


@breaks("greedy_answers_repeat")
class MoodyGreedy(Conforming):
    def write(self, order: DrawOrder, index: int) -> str:
        return super().write(order, index) + str(self.calls)


@breaks("greedy_answers_are_alike_in_any_batch")
class SociableGreedy(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, text=f"{answer.text} {len(orders)}")


@breaks("greedy_answers_are_alike_in_any_batch")
@breaks("draws_are_alike_in_any_batch")
class OfTheSequence(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, text=f"{answer.text} {position if len(orders) > 1 else ''}".strip())


@breaks("draws_repeat")
class Moody(Conforming):
    def noise(self, order: DrawOrder, index: int) -> str:
        return f"{super().noise(order, index)}/{self.calls}"


@breaks("draws_are_alike_in_an_extension")
class SeedsThePool(Conforming):
    """One generator for all draws of an order, as `num_return_sequences` has."""

    def noise(self, order: DrawOrder, index: int) -> str:
        return f"{order.key}/{order.indices.index(index)}"


@breaks("draws_differ")
class OnlyGreedy(Conforming):
    def noise(self, order: DrawOrder, index: int) -> str:
        return order.key


@breaks("the_key_seeds_the_noise")
class FixedSeed(Conforming):
    def noise(self, order: DrawOrder, index: int) -> str:
        return str(index)


@breaks("a_stop_string_ends_an_answer")
class NeverStops(Conforming):
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        plain = [replace(one, decoding=replace(one.decoding, stop=())) for one in orders]
        return super().draw(plain)


@breaks("a_stop_string_ends_an_answer")
class StopsTooSoon(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, text=answer.text[:3]) if orders[position].decoding.stop else answer


@breaks("the_limit_on_tokens_ends_an_answer")
class Endless(Conforming):
    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        plain = [replace(one, decoding=replace(one.decoding, max_new_tokens=99)) for one in orders]
        return super().draw(plain)


@breaks("the_limit_on_tokens_ends_an_answer")
class NeverSaysLength(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, finish_reason="stop")


@breaks("beams_are_ranked")
class RankedUpwards(_Edited):
    def edit(self, orders: Any, position: int, index: int, answer: Answer) -> Answer:
        return replace(answer, log_likelihood=-100.0 + 10 * index)


@breaks("beams_are_ranked")
class OneBeam(Conforming):
    def write(self, order: DrawOrder, index: int) -> str:
        return super().write(order, 0 if order.decoding.num_beams > 1 else index)


# --- scoring -------------------------------------------------------------------------------------


@breaks("scores_are_well_formed")
class Likelihoods(Conforming):
    def rate(self, conversation: Conversation, text: str) -> float:
        return 1.0


@breaks("scores_are_well_formed")
class ScoresOne(Conforming):
    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, scores in super().log_likelihoods(orders):
            yield position, scores[:1]


@breaks("scores_are_alike_in_any_batch")
class Normalised(Conforming):
    """Scores that are shares among the answers."""

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, scores in super().log_likelihoods(orders):
            yield (
                position,
                [replace(one, log_likelihood=one.log_likelihood / len(scores)) for one in scores],
            )


@breaks("longer_answers_are_no_more_probable")
class PerToken(Conforming):
    def rate(self, conversation: Conversation, text: str) -> float:
        return super().rate(conversation, text) / len(text) ** 2


@breaks("draws_and_scores_agree")
class OtherScale(Conforming):
    def rate(self, conversation: Conversation, text: str) -> float:
        return super().rate(conversation, text) / 2


@breaks("scoring_is_refused")
class RefusesLate(Modest):
    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        yield from super().log_likelihoods(orders)


# --- hearing -------------------------------------------------------------------------------------


@breaks("audio_is_heard")
class Deaf(Conforming):
    def shown(self, conversation: Conversation) -> str:
        return digest(*((turn.role, turn.text) for turn in conversation))


@breaks("audio_is_heard")
class DeafWithoutScores(Deaf):
    capabilities = Capabilities()


@breaks("audio_is_heard")
class DeafAndGreedy(Deaf):
    capabilities = Capabilities(sampling=False)


@breaks("words_are_read")
class HearsOnly(Conforming):
    def shown(self, conversation: Conversation) -> str:
        return digest(*(clip_sha256(clip) for turn in conversation for clip in turn.clips))


@breaks("a_system_turn_is_read")
class DropsTheSystemTurn(Conforming):
    def shown(self, conversation: Conversation) -> str:
        return content(tuple(turn for turn in conversation if turn.role != "system"))


@breaks("a_later_turn_is_read")
class DropsTheAssistant(Conforming):
    def shown(self, conversation: Conversation) -> str:
        return content(tuple(turn for turn in conversation if turn.role != "assistant"))


@breaks("two_clips_are_heard")
class HearsASet(Conforming):
    def shown(self, conversation: Conversation) -> str:
        return content(
            tuple(replace(turn, clips=tuple(sorted(turn.clips, key=str))) for turn in conversation)
        )


@breaks("a_missing_clip_is_refused")
class AnswersNothing(Deaf):
    pass


@breaks("a_missing_clip_is_refused")
class EndsInATraceback(Conforming):
    def shown(self, conversation: Conversation) -> str:
        for turn in conversation:
            for clip in turn.clips:
                open(clip.path).close()  # noqa: PTH123
        return super().shown(conversation)
