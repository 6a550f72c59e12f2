"""Continuous decoding: whoever leaves or enters, each draw is what it is alone."""

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ambi_tasks.audio import Clip
from model_adapters.backend import Answer, Decoding, DrawOrder, Turn
from model_adapters.huggingface import HuggingFaceBackend
from model_adapters.huggingface.rows import Rows

TEXTS = (
    "Sad?",
    "How do they feel?",
    "Listen to the clip, think of what the voice sounds like, and then say how they feel. " * 2,
)
DECODINGS = (
    Decoding(max_new_tokens=3),
    Decoding(max_new_tokens=30, stop=("e", "a")),
    Decoding(do_sample=True, max_new_tokens=7),
    Decoding(do_sample=True, temperature=2.0, max_new_tokens=70),
    Decoding(do_sample=True, top_p=0.9, repetition_penalty=1.3, max_new_tokens=12),
    Decoding(num_beams=2, max_new_tokens=4),
)


@pytest.fixture(scope="module")
def model(tiny_model: str) -> HuggingFaceBackend:
    return HuggingFaceBackend(pretrained=tiny_model, device="cpu")


@pytest.fixture(scope="module")
def alone() -> dict[tuple[Any, ...], Answer]:
    """Draws that were made before, each by itself."""
    return {}


def asked(clip: Clip, text: str, decoding: Decoding, indices: tuple[int, ...]) -> DrawOrder:
    key = f"{clip.path.rpartition('/')[2]} {text} {decoding}"
    return DrawOrder((Turn("user", text, (clip,)),), decoding, indices, key)


orders = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(TEXTS),
        st.sampled_from(DECODINGS),
        st.sets(st.integers(0, 8), min_size=1),
    ),
    min_size=1,
    max_size=6,
)


@given(orders, st.integers(1, 9))
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_draw_is_what_it_is_alone(
    model: HuggingFaceBackend,
    clips: list[Clip],
    alone: dict[tuple[Any, ...], Answer],
    wanted: list[tuple[int, str, Decoding, set[int]]],
    batch_size: int,
) -> None:
    work = []
    for clip, text, decoding, indices in wanted:
        most = decoding.num_beams if decoding.num_beams > 1 else 9 if decoding.do_sample else 1
        some = tuple(sorted({index % most for index in indices}))
        work.append(asked(clips[clip], text, decoding, some))
    model._engine._batch_size = batch_size
    found = {(place, index): answer for place, index, answer in model.draw(work)}
    assert found.keys() == {(n, index) for n, one in enumerate(work) for index in one.indices}
    model._engine._batch_size = 1
    for (place, index), answer in found.items():
        one = work[place]
        if (one.key, index) not in alone:
            single = DrawOrder(one.conversation, one.decoding, (index,), one.key)
            ((_, _, alone[one.key, index]),) = model.draw([single])
        expected = alone[one.key, index]
        assert (answer.text, answer.tokens) == (expected.text, expected.tokens)
        assert answer.finish_reason == expected.finish_reason
        assert answer.log_likelihood == pytest.approx(expected.log_likelihood, abs=2e-3)


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Rows of each step of decoding, and those of them that are taken."""
    found: list[tuple[int, int]] = []
    read = Rows.read

    def counted(self: Rows[Any], ids: torch.Tensor, *rest: Any) -> torch.Tensor:
        found.append((len(ids), len(self.taken)))
        return read(self, ids, *rest)

    monkeypatch.setattr(Rows, "read", counted)
    return found


def test_those_who_wait_enter_as_soon_as_a_row_is_free(
    tiny_model: str, clips: list[Clip], widths: list[tuple[int, int]]
) -> None:
    model = HuggingFaceBackend(pretrained=tiny_model, device="cpu", batch_size=4)
    short = Decoding(do_sample=True, max_new_tokens=2)
    long = Decoding(do_sample=True, max_new_tokens=40)
    work = [asked(clips[0], TEXTS[0], long, (0,)), asked(clips[0], TEXTS[0], short, (*range(30),))]
    found = {(place, index): answer for place, index, answer in model.draw(work)}
    tokens = sum(answer.tokens or 0 for answer in found.values())
    assert max(rows for rows, _ in widths) == 4
    assert sum(taken for _, taken in widths) == tokens
    assert len(widths) <= 40, "the many short draws were made beside the long one"
    full = [taken for _, taken in widths][:19]
    assert min(full) == 4, "a row stood free while draws waited for it"


def test_free_rows_are_dropped_when_nothing_waits(
    tiny_model: str, clips: list[Clip], widths: list[tuple[int, int]]
) -> None:
    model = HuggingFaceBackend(pretrained=tiny_model, device="cpu", batch_size=8)
    short = Decoding(do_sample=True, max_new_tokens=2)
    long = Decoding(do_sample=True, max_new_tokens=20)
    work = [
        asked(clips[0], TEXTS[0], long, (0,)),
        asked(clips[0], TEXTS[0], short, tuple(range(7))),
    ]
    assert len(list(model.draw(work))) == 8
    assert widths[-1] == (1, 1)


def test_long_clips_come_first_and_decodings_share_their_clip(
    tiny_model: str, clips: list[Clip]
) -> None:
    model = HuggingFaceBackend(pretrained=tiny_model, device="cpu", batch_size=4)
    heard: list[int] = []
    model._engine._model.model.audio_tower.register_forward_pre_hook(
        lambda _, arguments, named: heard.append(
            len(arguments[0] if arguments else named["input_features"])
        ),
        with_kwargs=True,
    )
    work = [
        asked(clip, TEXTS[1], decoding, (0,))
        for decoding in DECODINGS[:5]
        for clip in sorted(clips, key=str)
    ]
    places = [place for place, _, _ in model.draw(work)]
    assert sorted(places) == list(range(15))
    # Five questions to each clip exceed a batch of four, so that it is heard once more.
    assert sum(heard) == 6
