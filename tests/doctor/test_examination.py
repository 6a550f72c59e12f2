"""Every fault is found, by its own check, and a healthy model has none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ambi_tasks.audio import Clip, load_waveform
from ambi_tasks.doctor.costs import corpus_sizes, measure
from ambi_tasks.doctor.examination import examine
from ambi_tasks.doctor.record import Examination
from ambi_tasks.doctor.stimuli import CHANGES, clips_in, demo_clips, make_stimuli
from ambi_tasks.errors import UserError
from model_adapters.audio_lm import AudioLM
from model_adapters.backend import Backend
from tests.doctor import backends
from tests.doctor.backends import LABELS, Greedy, Listener, Scorer


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return demo_clips()


def examined(
    backend: Backend, clips: Sequence[Clip], earlier: Examination | None = None
) -> Examination:
    lm = AudioLM(backend, keep_draws=False)
    return examine(lm, clips, LABELS, batch_size="8", earlier=earlier)


def amiss(examination: Examination) -> dict[str, str]:
    return {one.name: one.verdict for one in examination.checks if one.verdict != "ok"}


@pytest.mark.parametrize(
    ("kind", "evidence"),
    [
        (Scorer, "label log-likelihoods"),
        (Listener, "sampled answers"),
        (Greedy, "greedy answers"),
    ],
)
def test_who_hears_is_healthy(kind: type[Listener], evidence: str, clips: list[Clip]) -> None:
    found = examined(kind(), clips)
    assert amiss(found) == {}
    assert found.verdict == "healthy"
    assert found.evidence == evidence
    assert len(found.checks) == len({one.name for one in found.checks})


HEARING = {f"hears_{name}" for name in ("silence", "other_clip", "noise")}


@pytest.mark.parametrize("kind", [backends.Deaf, backends.DeafGreedy, backends.DeafScorer])
def test_who_is_deaf_fails(kind: type[Listener], clips: list[Clip]) -> None:
    found = examined(kind(), clips)
    faults = amiss(found)
    assert found.verdict == "deaf"
    assert {name for name, verdict in faults.items() if verdict == "fail"} == HEARING
    assert faults["hears_reversed"] == "warning"
    assert "the answers stay as they are" in found.check("hears_silence").sentence


def test_who_answers_one_constant_fails_with_that_sentence(clips: list[Clip]) -> None:
    found = examined(backends.Constant(), clips)
    assert found.verdict == "deaf"
    check = found.check("answers_vary")
    assert check.verdict == "fail"
    assert check.sentence.startswith("It gives one answer to everything: '{\"neutral")


def test_who_hears_loudness_alone_is_told_apart(clips: list[Clip]) -> None:
    found = examined(backends.Loudness(), clips)
    assert set(amiss(found)) == {"hears_noise", "hears_reversed"}


def test_hardly_to_hear_is_not_to_hear(clips: list[Clip]) -> None:
    found = examined(backends.HardlyHears(), clips)
    assert set(amiss(found)) >= HEARING
    assert found.check("hears_silence").values["p"] == pytest.approx(1e-4)
    assert "below 0.01 is nothing" in found.check("hears_silence").sentence


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        (backends.FirstLabel, {"label_order": "warning"}),
        (backends.Moody, {"repeats": "fail", "any_batch": "fail"}),
        (backends.MoodyAndSaysSo, {"repeats": "warning", "any_batch": "warning"}),
        (backends.Sociable, {"any_batch": "warning"}),
    ],
)
def test_each_fault_has_its_check(
    kind: type[Listener], faults: dict[str, str], clips: list[Clip]
) -> None:
    assert amiss(examined(kind(), clips)) == faults


def test_who_cannot_be_read_fails(clips: list[Clip]) -> None:
    found = examined(backends.Rambling(), clips)
    unread = {name: verdict for name, verdict in amiss(found).items() if "readable" in name}
    assert len(unread) == 7
    assert set(unread.values()) == {"fail"}


def test_an_earlier_process_is_remembered(clips: list[Clip]) -> None:
    earlier = examined(Listener(), clips[:5])
    again = examined(Listener(), clips[:5], earlier).check("repeats")
    assert again.values["earlier_examination"] == "same"
    other = earlier.model_copy(update={"answers_sha256": "other"})
    changed = examined(Listener(), clips[:5], other).check("repeats")
    assert (changed.verdict, changed.values["earlier_examination"]) == ("warning", "different")
    elsewhere = examined(Listener(), clips[1:6], earlier).check("repeats")
    assert "earlier_examination" not in elsewhere.values


def test_stimuli_are_as_long_and_as_loud(clips: list[Clip], tmp_path: Path) -> None:
    stimuli = make_stimuli(clips[:5], tmp_path)
    assert list(stimuli) == ["clip", *CHANGES]
    heard = {name: [load_waveform(clip) for clip in made] for name, made in stimuli.items()}
    for number, clip in enumerate(heard["clip"]):
        assert {len(heard[name][number]) for name in heard} == {len(clip)}
        assert not heard["silence"][number].any()
        np.testing.assert_array_equal(heard["reversed"][number], clip[::-1])
        loudness = np.sqrt(np.mean(np.square(clip)))
        assert np.sqrt(np.mean(np.square(heard["noise"][number]))) == pytest.approx(loudness, 0.05)
        other = heard["clip"][(number + 1) % 5]
        shared = min(len(other), len(clip))
        np.testing.assert_array_equal(heard["other_clip"][number][:shared], other[:shared])


def test_clips_of_a_folder(tmp_path: Path) -> None:
    for number in range(5):
        with pytest.raises(UserError, match=f"holds {number} audio files.*fewer than 5"):
            clips_in(tmp_path)
        soundfile.write(tmp_path / f"{number}.wav", np.ones(9000) / 9, 16_000)
        (tmp_path / f"{number}.txt").write_text("no clip")
    assert [Path(clip.path).stem for clip in clips_in(tmp_path)] == list("01234")
    with pytest.raises(UserError, match="is not a folder"):
        clips_in(tmp_path / "0.wav")


def test_a_silent_clip_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), 16_000)
    with pytest.raises(UserError, match=r"silent\.wav: is silent"):
        make_stimuli([Clip(str(tmp_path / "silent.wav"))], tmp_path)


def test_costs_are_of_each_strategy_and_say_what_cannot_be_run(clips: list[Clip]) -> None:
    lm = AudioLM(Listener(), keep_draws=False)
    costs = {cost.strategy: cost for cost in measure(lm, clips[:2], LABELS)}
    assert set(costs) == {"direct", "cot", "sc", "bon", "wbon", "almv", "walmv", "tlr"}
    assert {name for name, cost in costs.items() if cost.seconds is None} == {"bon", "wbon", "tlr"}
    assert "no beam search" in costs["bon"].why_not or "log-likelihood" in costs["bon"].why_not
    assert costs["sc"].tokens == pytest.approx(16 * costs["direct"].tokens)
    assert costs["almv"].tokens > 3 * costs["direct"].tokens  # the verifier's as well
    assert all(cost.memory > 1e6 for cost in costs.values() if cost.seconds is not None)


def test_the_sizes_of_corpora_are_known() -> None:
    sizes = corpus_sizes()
    assert {"iemocap": 10_039, "crema_d": 7_442, "msp_podcast": 30_647}.items() <= sizes.items()
    assert "demo" not in sizes
