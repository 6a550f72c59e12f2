"""What reaches the model: the sound, the words, the turns; and what is refused."""

from pathlib import Path

from ambi_tasks.audio import Clip
from model_adapters.backend import Conversation, DrawOrder, Turn
from model_adapters.conformance.check import check, require
from model_adapters.conformance.subject import (
    GREEDY,
    SAMPLED,
    Subject,
    asking,
    is_sentence,
)

_SYSTEM = "You are careful, and you answer in one word."
_REPEAT = "Repeat your answer word for word, and write nothing else."
_DIFFERENCE = 1e-3  # of log-likelihoods; far above rounding


def _said(subject: Subject, conversations: list[Conversation]) -> list[tuple[object, ...]]:
    """What is said to each conversation, as finely as the adapter tells."""
    can = subject.backend.capabilities
    if can.log_likelihood:
        return [
            tuple(round(one.log_likelihood / _DIFFERENCE) for one in scores)
            for scores in subject.score(*conversations)
        ]
    decoding, draws = (SAMPLED, tuple(range(8))) if can.sampling else (GREEDY, (0,))
    answers: list[tuple[object, ...]] = []
    for one in conversations:  # by the same noise, so that a difference is not of chance
        found = subject.draw([DrawOrder(one, decoding, draws, "same key")])
        answers.append(tuple(found["same key", index].text for index in draws))
    return answers


@check()
def audio_is_heard(subject: Subject) -> None:
    """Clips, and silence in their place, have different answers. `ambi doctor` says how much."""
    clips = [*subject.clips, subject.silence]
    said = _said(subject, [asking(clip) for clip in clips])
    require(
        len(set(said)) > 1,
        f"{len(subject.clips)} clips and silence have the same answers: the sound does not reach "
        f"the model.",
    )
    require(said[-1] not in said[:-1], "Silence has the answers of a clip.")


@check()
def words_are_read(subject: Subject) -> None:
    """Other words about the same clip have other answers."""
    clip = subject.clips[0]
    other = (Turn("user", "Which animal is this? Answer with its name only.", (clip,)),)
    one, another = _said(subject, [asking(clip), other])
    require(one != another, "Another question has the same answers: the words do not arrive.")


@check(lambda can: can.system_turn)
def a_system_turn_is_read(subject: Subject) -> None:
    """Where `system_turn` is claimed, it changes something."""
    plain = asking(subject.clips[0])
    with_system = (Turn("system", _SYSTEM), *plain)
    one, other = _said(subject, [plain, with_system])
    require(one != other, "A system turn changes nothing, but system_turn is claimed.")


@check()
def a_later_turn_is_read(subject: Subject) -> None:
    """A verifier's turns, behind an answer, reach the model."""
    asked = asking(subject.clips[0])

    def judged(answer: str) -> Conversation:
        return (*asked, Turn("assistant", answer), Turn("user", _REPEAT))

    one, other = _said(subject, [judged('{"happy": 1.0}'), judged('{"sad": 1.0}')])
    require(one != other, "What an assistant's turn said before changes nothing.")


@check(lambda can: can.clips is None or can.clips > 1)
def two_clips_are_heard(subject: Subject) -> None:
    """Where several clips are claimed, their order changes something."""
    first, second = subject.clips[:2]
    one, other = _said(subject, [asking(first, second), asking(second, first)])
    require(one != other, "Two clips in the other order have the same answers.")


@check()
def a_missing_clip_is_refused(subject: Subject) -> None:
    """A file that is not there ends in a sentence that names it, before or at its draw."""
    missing = Clip(str(Path(subject.clips[0].path).with_name("no_such_clip.wav")))
    said = subject.refusal(lambda: subject.draw(subject.orders(GREEDY, clips=[missing])))
    require(said is not None, "A clip that does not exist was answered.")
    require(is_sentence(said), f"The refusal is not one sentence: {said!r}.")
    require("no_such_clip.wav" in str(said), f"The refusal does not name the clip: {said!r}.")
