"""Models that are healthy, and models with one fault each."""

from collections.abc import Iterator, Sequence

import numpy as np

from ambi_tasks.audio import load_waveform
from model_adapters.backend import (
    Answer,
    Backend,
    Capabilities,
    Conversation,
    DrawOrder,
    Score,
    ScoreOrder,
)
from model_adapters.noise import uniform

LABELS = ("neutral", "happy", "angry", "sad")


class Listener(Backend):
    """Hears how often the sound crosses zero, how loud it is, and when it is louder.

    Its answers are sampled around what it hears; greedy ones are not.
    """

    capabilities = Capabilities()

    def __init__(self, *, fingerprint: str | None = None, batch_size: int = 1) -> None:
        self.print, self.batch_size = fingerprint, batch_size

    @property
    def model_name(self) -> str:
        return "listener"

    def fingerprint(self) -> str | None:
        return self.print

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for position, order in enumerate(orders):
            for index in order.indices:
                text = self.write(order, index)
                yield position, index, Answer(text, -float(len(text)), len(text.split()))

    def heard(self, conversation: Conversation) -> np.ndarray:
        """Probabilities of the labels, in their order, (4,)."""
        waveform = load_waveform(conversation[-1].clips[0])
        crossings = float(np.mean(waveform[1:] * waveform[:-1] < 0))
        halves = [float(np.abs(part).mean()) for part in np.array_split(waveform, 2)]
        logits = np.array([1.0, 9 * crossings, 150 * (halves[0] - halves[1]), 1 - 15 * sum(halves)])
        return np.exp(logits) / np.exp(logits).sum()

    def write(self, order: DrawOrder, index: int) -> str:
        text = order.conversation[-1].text
        shares = self.heard(order.conversation)
        if "<task>" in text:
            return str(round(10 * float(shares.max())))
        if "that emotion only" in text:
            return LABELS[int(shares.argmax())]
        if order.decoding.do_sample:
            noise = [uniform(order.key, index, step) for step in range(4)]
            shares = shares * np.exp(noise)
            shares = shares / shares.sum()
        values = ", ".join(f'"{n}": {p:.3f}' for n, p in zip(LABELS, shares, strict=True))
        return ("Step by step. " if "step by step" in text else "") + "{" + values + "}"


class Greedy(Listener):
    capabilities = Capabilities(sampling=False)


class Scorer(Listener):
    capabilities = Capabilities(draw_log_likelihood=True, log_likelihood=True, beams=True)

    def log_likelihoods(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        return self._scored(orders)

    def _scored(self, orders: Sequence[ScoreOrder]) -> Iterator[tuple[int, list[Score]]]:
        for position, order in enumerate(orders):
            yield position, [self.score(order, text) for text in order.continuations]

    def score(self, order: ScoreOrder, text: str) -> Score:
        shares = dict(zip(LABELS, self.heard(order.conversation), strict=True))
        return Score(float(np.log(shares.get(text, 1e-3))), 1, greedy=False)


class _Deaf:
    """Reads the question, and hears nothing."""

    def heard(self, conversation: Conversation) -> np.ndarray:
        del conversation
        return np.array([0.4, 0.3, 0.2, 0.1])


class Deaf(_Deaf, Listener):
    pass


class DeafGreedy(_Deaf, Greedy):
    pass


class DeafScorer(_Deaf, Scorer):
    pass


class Constant(Listener):
    """Whatever is asked, it writes the same."""

    def write(self, order: DrawOrder, index: int) -> str:
        del order, index
        return '{"neutral": 0.4, "happy": 0.3, "angry": 0.2, "sad": 0.1}'


class Loudness(Listener):
    """Hears nothing but how loud a clip is, which noise and its reverse have as well."""

    def heard(self, conversation: Conversation) -> np.ndarray:
        waveform = load_waveform(conversation[-1].clips[0])
        loud = 8 * float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
        logits = np.array([0.0, loud, 2 * loud, -loud])
        return np.exp(logits) / np.exp(logits).sum()


class HardlyHears(Scorer):
    """What it hears moves its answers by a thousandth."""

    def heard(self, conversation: Conversation) -> np.ndarray:
        return 0.999 * np.array([0.4, 0.3, 0.2, 0.1]) + 0.001 * super().heard(conversation)


class FirstLabel(Scorer):
    """Prefers the label that is listed first, whatever it hears."""

    def heard(self, conversation: Conversation) -> np.ndarray:
        text = conversation[-1].text
        first = min(LABELS, key=text.index)
        return 0.5 * super().heard(conversation) + 0.5 * np.array([one == first for one in LABELS])


class Moody(Listener):
    """Answers otherwise each time it is asked."""

    asked = 0

    def write(self, order: DrawOrder, index: int) -> str:
        self.asked += 1
        return super().write(order, index + self.asked)


class MoodyAndSaysSo(Moody):
    capabilities = Capabilities(repeatable=False)


class Sociable(Listener):
    """Answers otherwise among others than alone."""

    capabilities = Capabilities(repeatable=False)

    def draw(self, orders: Sequence[DrawOrder]) -> Iterator[tuple[int, int, Answer]]:
        for position, index, answer in super().draw(orders):
            yield position, index, Answer(answer.text + "." * (len(orders) > 1))


class Rambling(Listener):
    """Never answers in the form that is asked for."""

    def write(self, order: DrawOrder, index: int) -> str:
        return f"Well, I would say that {super().write(order, index)[:20].strip('{')}"
