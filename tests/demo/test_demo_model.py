"""The bundled model answers from what it hears, within bounds that the documentation promises."""

import json

import numpy as np
import pytest
import torch

from ambi_tasks.answers import parse_answer
from ambi_tasks.demo import MODEL_FOLDER
from ambi_tasks.demo.dialogues import CREMA_D_LABELS
from ambi_tasks.demo.evaluate import (
    DRAWS,
    TEMPERATURE,
    corpus_clips,
    edited_prompt,
    label_prior,
    measure,
    non_speech,
    unseen_prompt,
)
from ambi_tasks.demo.listener import (
    Listener,
    direct_prompt,
    ratings,
    read_answers,
    read_out,
    task_prompt,
    yes_probabilities,
)
from ambi_tasks.demo.speech import EMOTIONS
from ambi_tasks.demo.verifier_measurement import rank_correlation
from ambi_tasks.metrics.js import jensen_shannon


@pytest.fixture(scope="module")
def listener():
    return Listener()


@pytest.fixture(scope="module")
def clips():
    return corpus_clips()


@pytest.fixture(scope="module")
def floor(clips):
    """The better one of the two answers that need no ears."""
    uniform = np.full_like(clips.vote_shares, 0.25)
    prior = np.tile(label_prior(), (len(uniform), 1))
    return min(jensen_shannon(clips.vote_shares, one).mean() for one in (uniform, prior))


@pytest.fixture(scope="module")
def greedy(listener, clips):
    answers = listener.ask(clips.waveforms, direct_prompt())
    return read_answers([one[0] for one in answers], EMOTIONS)


def test_the_folder_is_small_and_complete():
    files = {path.name: path.stat().st_size for path in MODEL_FOLDER.iterdir()}
    assert sum(files.values()) < 8_000_000
    assert {"README.md", "config.json", "generation_config.json", "model.safetensors"} <= set(files)
    config = json.loads((MODEL_FOLDER / "generation_config.json").read_text(encoding="utf-8"))
    assert not {"do_sample", "temperature", "top_p", "top_k", "min_p"} & set(config)


def test_classes_are_unchanged(listener):
    assert type(listener.model).__module__.startswith("transformers.")
    assert type(listener.processor).__module__.startswith("transformers.")
    assert listener.processor.tokenizer.eos_token == "<|im_end|>"
    assert listener.processor.feature_extractor.chunk_length == 6


def test_greedy_answers_are_near_the_votes(greedy, clips, floor):
    predictions, parsed = greedy
    assert parsed == 1
    assert jensen_shannon(clips.vote_shares, predictions).mean() <= 0.75 * floor


def test_the_mean_of_draws_is_nearer(listener, clips, floor):
    torch.manual_seed(1)
    answers = listener.ask(
        clips.waveforms, direct_prompt(), draws=DRAWS, temperature=TEMPERATURE, batch_size=128
    )
    drawn, parsed = read_answers([text for one in answers for text in one], EMOTIONS)
    means = drawn.reshape(len(answers), DRAWS, -1).mean(axis=1)
    assert parsed > 0.97
    assert jensen_shannon(clips.vote_shares, means).mean() <= 0.6 * floor


def test_answers_belong_to_their_clips(greedy, clips, floor):
    predictions, _ = greedy
    shuffled = [
        jensen_shannon(np.roll(clips.vote_shares, shift, axis=0), predictions).mean()
        for shift in range(1, len(predictions))
    ]
    assert np.mean(shuffled) > 1.1 * floor


@pytest.mark.parametrize("name", list(non_speech()))
def test_without_speech_it_is_uncertain(listener, name):
    (answer,) = listener.ask([non_speech()[name]], direct_prompt())[0]
    (distribution,), parsed = read_answers([answer], EMOTIONS)
    assert parsed == 1
    assert jensen_shannon([[0.25] * 4], [distribution])[0] < 0.15
    assert distribution.max() < 0.6


def test_other_words_and_orders_do_not_break_it(listener, clips, floor):
    for prompt in (
        unseen_prompt(),
        edited_prompt(),
        direct_prompt(EMOTIONS[::-1]),
    ):
        answers = [one[0] for one in listener.ask(clips.waveforms, prompt)]
        predictions, parsed = read_answers(answers, EMOTIONS)
        assert parsed > 0.95
        assert jensen_shannon(clips.vote_shares, predictions).mean() < floor


@pytest.mark.parametrize("template", ["direct_v2", "direct_v3", "cot"])
def test_the_other_templates_are_answered(listener, clips, floor, template):
    answers = [one[0] for one in listener.ask(clips.waveforms, task_prompt(template))]
    predictions, parsed = read_answers(answers, EMOTIONS)
    assert parsed == 1
    assert jensen_shannon(clips.vote_shares, predictions).mean() <= 0.75 * floor
    for answer in answers:
        reasons = ("The pitch is", "Listeners would hear", "They would")
        assert all((reason in answer) == (template == "cot") for reason in reasons)
        assert len(listener.processor.tokenizer(answer).input_ids) <= 80


def test_reasoning_is_about_the_clip(listener, clips):
    """The most probable emotion of the object is the first one that the reasoning names."""
    answers = [one[0] for one in listener.ask(clips.waveforms, task_prompt("cot"))]
    predictions, _ = read_answers(answers, EMOTIONS)
    firsts = [EMOTIONS[index] for index in predictions.argmax(axis=1)]
    named = [answer.partition("would hear ")[2].split()[1].strip(",.") for answer in answers]
    assert np.mean([one == other for one, other in zip(firsts, named, strict=True)]) > 0.9
    assert len({answer.partition(" Listeners")[0] for answer in answers}) > 20


def test_the_probabilities_of_the_labels_are_near_the_votes(listener, clips, floor):
    shares = read_out(listener, clips.waveforms)
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(shares)))
    assert jensen_shannon(clips.vote_shares, shares).mean() <= 0.7 * floor
    assert read_out(listener, [non_speech()["silence"]]).max() < 0.4


def test_as_a_verifier_it_tells_good_answers_from_bad_ones(listener, clips):
    said = [one[0] for one in listener.ask(clips.waveforms, direct_prompt())]
    responses = [*said, *said[1:], said[0], *said[5:], *said[:5]]
    heard = clips.waveforms * 3
    truth = np.tile(clips.vote_shares, (3, 1))
    quality = -jensen_shannon(truth, read_answers(responses, EMOTIONS)[0])
    rated, parsed = ratings(listener, heard, responses)
    assert parsed == 1
    assert np.ptp(rated) >= 6
    called = yes_probabilities(listener, heard, responses)
    assert rank_correlation(rated, quality) > 0.5
    assert rank_correlation(called, quality) > 0.5


def test_as_a_verifier_it_wants_an_undecided_answer_to_silence(listener):
    undecided = json.dumps(dict.fromkeys(EMOTIONS, 0.25))
    sure = json.dumps({"neutral": 0.0, "happy": 1.0, "angry": 0.0, "sad": 0.0})
    silence = [non_speech()["silence"]] * 2
    good, bad = ratings(listener, silence, [undecided, sure])[0]
    assert good > bad
    good, bad = yes_probabilities(listener, silence, [undecided, sure])
    assert good > 0.5 > bad


def test_it_answers_the_labels_of_crema_d_in_their_order(listener, clips):
    answers = [one[0] for one in listener.ask(clips.waveforms[:16], direct_prompt(CREMA_D_LABELS))]
    for answer in answers:
        assert parse_answer(answer, CREMA_D_LABELS).distribution is not None
        assert tuple(json.loads(answer)) == CREMA_D_LABELS


def test_any_prompt_is_borne(listener, clips):
    assert listener.ask(clips.waveforms[:1], "Was hörst du? 漢字 🙂")[0]


def test_a_clip_of_five_seconds_fits(listener):
    clip = np.zeros(int(5.01 * 16_000), np.float32)
    assert read_answers(listener.ask([clip], direct_prompt())[0], EMOTIONS)[1] == 1


def test_the_card_holds_the_measured_table():
    card = (MODEL_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "| greedy |" in card
    assert "Not measured yet" not in card


def test_measuring_gives_every_row(listener, clips):
    few = type(clips)(clips.waveforms[:4], clips.vote_shares[:4], clips.rule[:4])
    measured = measure(listener, few)
    assert measured.divergence("greedy") >= 0
    assert "floor: uniform" in measured.table()
    assert len(measured.rows) == 21
