"""How an adapter draws: each draw once, the same whatever stands beside it, ended as asked."""

import dataclasses
import itertools
import math

from model_adapters.backend import Answer, Decoding
from model_adapters.conformance.check import check, require
from model_adapters.conformance.subject import (
    GREEDY,
    SAMPLED,
    Drawn,
    Subject,
    texts,
)

_REASONS = ("stop", "length", "content_filter")
_BEAMS = 3
_DRAWS, _FEW = 4, 2


def _same(one: Drawn, other: Drawn, when: str) -> None:
    differing = [key for key in one if one[key].text != other[key].text]
    require(
        not differing,
        f"{when}, {len(differing)} of {len(one)} draws are other texts, such as "
        f"{_example(one, other, differing)}; where that cannot be helped, declare "
        f"Capabilities(repeatable=False).",
    )


def _example(one: Drawn, other: Drawn, differing: list[tuple[str, int]]) -> str:
    key = differing[0] if differing else next(iter(one))
    return f"{one[key].text!r} and {other[key].text!r}"


@check()
def each_draw_comes_once(subject: Subject) -> None:
    """Every index of every order, also where they do not follow one another, and no other."""
    indices = (0, 2, 5) if subject.backend.capabilities.sampling else (0,)
    orders = subject.orders(SAMPLED if len(indices) > 1 else GREEDY, indices)
    found = [(position, index) for position, index, _ in subject.backend.draw(orders)]
    wanted = [(position, index) for position in range(len(orders)) for index in indices]
    require(
        sorted(found) == wanted,
        f"Draws {wanted} were ordered, but {sorted(found)} came.",
    )
    require(not list(subject.backend.draw([])), "Draws came although nothing was ordered.")


@check()
def answers_are_well_formed(subject: Subject) -> None:
    """Text, log-likelihood, number of tokens and reason of the end are what they should be."""
    for answer in subject.draw(subject.orders(GREEDY)).values():
        require(isinstance(answer, Answer), f"A draw is {type(answer).__name__}, not an Answer.")
        require(type(answer.text) is str, f"A text is {type(answer.text).__name__}.")
        value, tokens = answer.log_likelihood, answer.tokens
        require(
            value is None or (math.isfinite(value) and value <= 0),
            f"{value} is no log-likelihood: it is finite and not above 0.",
        )
        require(
            tokens is None or (isinstance(tokens, int) and tokens >= bool(answer.text)),
            f"{answer.text!r} cannot have {tokens} tokens.",
        )
        reason = answer.finish_reason
        sampling = answer.sampling_log_likelihood
        require(
            sampling is None or (math.isfinite(sampling) and sampling <= 0),
            f"{sampling} is no log-likelihood of what was sampled from.",
        )
        require(reason in _REASONS, f"The finish_reason {reason!r} is none of {_REASONS}.")


@check(lambda can: can.draw_log_likelihood)
def log_likelihoods_come_with_draws(subject: Subject) -> None:
    """Where `draw_log_likelihood` is claimed, no draw lacks it or its number of tokens."""
    for answer in subject.draw(subject.orders(GREEDY)).values():
        complete = answer.log_likelihood is not None and answer.tokens is not None
        require(complete, f"The draw {answer} lacks log-likelihood or tokens, which are claimed.")


@check(lambda can: can.repeatable)
def greedy_answers_repeat(subject: Subject) -> None:
    """The same order has the same answer."""
    orders = subject.orders(GREEDY)
    _same(subject.draw(orders), subject.draw(orders), "Ordered again, greedily")


@check(lambda can: can.repeatable)
def greedy_answers_are_alike_in_any_batch(subject: Subject) -> None:
    """An order has the same answer alone and among others, in whatever sequence."""
    orders = subject.orders(GREEDY)
    together = subject.draw(orders)
    _same(together, subject.draw_alone(orders), "Ordered alone, greedily")
    _same(together, subject.draw(orders[::-1]), "Ordered in reverse, greedily")


@check(lambda can: can.sampling and can.repeatable)
def draws_repeat(subject: Subject) -> None:
    """A draw of the same key and index is the same."""
    orders = subject.orders(SAMPLED, range(_FEW))
    _same(subject.draw(orders), subject.draw(orders), "Ordered again")


@check(lambda can: can.sampling and can.repeatable)
def draws_are_alike_in_any_batch(subject: Subject) -> None:
    """A draw is the same alone and among others, in whatever sequence."""
    orders = subject.orders(SAMPLED, range(_FEW))
    together = subject.draw(orders)
    _same(together, subject.draw_alone(orders), "Ordered alone")
    _same(together, subject.draw(orders[::-1]), "Ordered in reverse")


@check(lambda can: can.sampling and can.repeatable)
def draws_are_alike_in_an_extension(subject: Subject) -> None:
    """Draws 2 and 3 are the same whether 0 and 1 are ordered with them or were before."""
    whole = subject.draw(subject.orders(SAMPLED, range(_DRAWS)))
    first = subject.draw(subject.orders(SAMPLED, (0, 1)))
    rest = subject.draw(subject.orders(SAMPLED, range(2, _DRAWS)))
    _same(whole, first | rest, "Ordered as an extension")


@check(lambda can: can.sampling)
def draws_differ(subject: Subject) -> None:
    """Where `sampling` is claimed, draws of different indices are not all the same."""
    found = texts(subject.draw(subject.orders(SAMPLED, range(_DRAWS))))
    of_clip = {key: {text for (one, _), text in found.items() if one == key} for key, _ in found}
    require(
        any(len(different) > 1 for different in of_clip.values()),
        f"{len(found)} samples at temperature 1 are alike ({next(iter(found.values()))!r}), but "
        f"sampling is claimed.",
    )


@check(lambda can: can.sampling)
def the_key_seeds_the_noise(subject: Subject) -> None:
    """Orders of different keys have different noise: the user's seed is in the key."""
    one, other = (
        texts(subject.draw(subject.orders(SAMPLED, range(_DRAWS), key=key))) for key in "ab"
    )
    same = all(text == other[key.replace("a", "b", 1), index] for (key, index), text in one.items())
    require(not same, "Another key has the same samples: a seed would change nothing.")


@check()
def a_stop_string_ends_an_answer(subject: Subject) -> None:
    """The answer ends before it."""
    orders = subject.orders(GREEDY, clips=subject.clips[:1])
    (answer,) = subject.draw(orders).values()
    middle = len(answer.text) // 2
    stop = answer.text[middle : middle + 2]
    require(stop, f"The greedy answer {answer.text!r} is too short to be stopped.")
    decoding = dataclasses.replace(GREEDY, stop=(stop,))
    (stopped,) = subject.draw(subject.orders(decoding, clips=subject.clips[:1])).values()
    wanted = answer.text[: answer.text.index(stop)]
    require(
        stop not in stopped.text,
        f"The answer {stopped.text!r} goes on at {stop!r}, at which it should stop.",
    )
    if subject.backend.capabilities.repeatable:
        require(
            stopped.text.strip() == wanted.strip(),
            f"Stopped at {stop!r}, the answer is {stopped.text!r}; it should be {wanted!r}.",
        )
    reason = stopped.finish_reason
    require(reason == "stop", f"The finish_reason of a stopped answer is {reason!r}.")


@check()
def the_limit_on_tokens_ends_an_answer(subject: Subject) -> None:
    """The answer is no longer, and says so."""
    (answer,) = subject.draw(
        subject.orders(Decoding(max_new_tokens=2), clips=subject.clips[:1])
    ).values()
    tokens = answer.tokens
    require(tokens is None or tokens <= 2, f"Of 2 tokens that were allowed there are {tokens}.")  # noqa: PLR2004
    (longer,) = subject.draw(subject.orders(GREEDY, clips=subject.clips[:1])).values()
    if len(longer.text) > len(answer.text):
        reason = answer.finish_reason
        require(reason == "length", f"The finish_reason of a cut answer is {reason!r}.")


@check(lambda can: can.beams and can.draw_log_likelihood)
def beams_are_ranked(subject: Subject) -> None:
    """Draw i is the beam of rank i: different answers, the most probable one first."""
    decoding = dataclasses.replace(GREEDY, num_beams=_BEAMS)
    orders = subject.orders(decoding, range(_BEAMS), clips=subject.clips[:1])
    found = subject.draw(orders)
    beams = [found[orders[0].key, rank] for rank in range(_BEAMS)]
    require(len({beam.text for beam in beams}) > 1, f"All beams are {beams[0].text!r}.")
    values = [beam.log_likelihood or 0.0 for beam in beams]
    sorted_down = all(a >= b - 1e-3 for a, b in itertools.pairwise(values))
    require(sorted_down, f"The beams' log-likelihoods {values} do not fall.")
    (one,) = subject.draw(subject.orders(decoding, (1,), clips=subject.clips[:1])).values()
    if subject.backend.capabilities.repeatable:
        require(
            one.text == beams[1].text,
            f"Ordered by itself, the second beam is {one.text!r}, not {beams[1].text!r}.",
        )
