"""Prompt forms, tokens and a training of a few steps."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForMultimodalLM, AutoProcessor

from ambi_tasks.answers import parse_answer
from ambi_tasks.demo.dialogues import (
    CREMA_D_LABELS,
    LABEL_INVENTORY,
    Example,
    Heard,
    draw_labels,
    emotion_of,
    expected_distribution,
    json_answer,
    round_to_grid,
)
from ambi_tasks.demo.judging import distance, draw_candidate, rating, yes_probability
from ambi_tasks.demo.listener import Listener, direct_prompt
from ambi_tasks.demo.model_card import BEGIN_TABLE, END_TABLE, write_card, write_table
from ambi_tasks.demo.prompt_forms import (
    COT_FORMS,
    DIRECT_FORMS,
    JUDGING_SHEETS,
    LABEL_FORMS,
    PROMPT_FORMS,
    REFINING_SHEETS,
    REWORDED_FORMS,
    SHEETS,
    VERIFIER_FORMS,
    Sheet,
    write_dialogues,
)
from ambi_tasks.demo.reasoning import describe_voice, describe_votes, reasoned_answer
from ambi_tasks.demo.speech import EMOTIONS
from ambi_tasks.demo.tiny_model import (
    ModelSize,
    build_model,
    build_processor,
    build_tokenizer,
    render_chat,
    save_model,
)
from ambi_tasks.demo.train import Learner, Settings, train_model, training_facts
from ambi_tasks.demo.training_data import (
    TrainingSet,
    audio_token_count,
    non_speech_clips,
    pack,
    tone_clips,
)
from ambi_tasks.prompts import load_prompt
from ambi_tasks.verdicts import parse_rating

SMALL = ModelSize(width=32, encoder_layers=1, decoder_layers=1, heads=2, mel_bins=40, seconds=3)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def processor():
    return build_processor(SMALL)


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


HEARD = Heard(np.array([0.9, -0.3, 0.0, -0.9]), np.array([2.0, 1.0, 4.0, 0.0]))
OTHER = Heard(np.array([-0.7, 0.3, 0.7, 0.9]), np.array([0.0, 0.0, 1.0, 9.0]))


def example_of(labels):
    return Example(labels, HEARD, OTHER, 20)


def test_a_vote_distribution_keeps_to_the_labels_that_are_offered():
    votes = np.array([1.0, 0.0, 3.0, 0.0])
    four = expected_distribution(EMOTIONS, votes)
    assert four == pytest.approx(np.array([1.25, 0.25, 3.25, 0.25]) / 5)
    six = dict(zip(CREMA_D_LABELS, expected_distribution(CREMA_D_LABELS, votes), strict=True))
    assert six["disgust"] == six["fear"] == 0
    assert six["anger"] == pytest.approx(four[2])
    assert expected_distribution(["happy", "sad"], votes) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("labels", [EMOTIONS, CREMA_D_LABELS, ("fear", "disgust", "calm")])
def test_without_a_reason_all_labels_are_equal(labels):
    assert expected_distribution(labels, None) == pytest.approx(
        np.full(len(labels), 1 / len(labels))
    )


def test_labels_without_votes_share_equally():
    assert expected_distribution(("fear", "calm"), np.ones(4)) == pytest.approx([0.5, 0.5])


def test_rounding_keeps_the_sum(generator):
    for _ in range(200):
        exact = generator.dirichlet(np.full(5, 0.5))
        rounded = round_to_grid(exact)
        assert rounded.sum() == pytest.approx(1)
        assert np.abs(rounded - exact).max() <= 0.05
        assert rounded * 20 == pytest.approx(np.round(rounded * 20))


FORMS_OF_DISTRIBUTIONS = [*DIRECT_FORMS, *REWORDED_FORMS, *COT_FORMS]


@pytest.mark.parametrize("form", FORMS_OF_DISTRIBUTIONS, ids=lambda form: form.name)
@pytest.mark.parametrize("labels", [EMOTIONS, CREMA_D_LABELS])
def test_every_form_names_the_labels_and_answers_in_their_order(form, labels, generator):
    for _ in range(30):
        ((prompt, answer),) = form.write(example_of(labels), generator)
        places = [prompt.rindex(label) for label in labels]
        assert places == sorted(places)
        assert tuple(json.loads(answer[answer.index("{") :])) == labels
        assert parse_answer(answer, labels).distribution is not None


def test_all_templates_are_asked_in_their_own_words(generator):
    first = {
        form.name: form.write(example_of(EMOTIONS), generator)[0].prompt for form in PROMPT_FORMS
    }
    for name in ("direct", "direct_v2", "direct_v3", "cot", "label"):
        assert first[name] == load_prompt(name).render(labels=list(EMOTIONS))
        judged = first.get(f"verdicts on {name}")
        assert judged is None or first[name] in judged


def test_voices_are_described_by_their_prosody():
    assert describe_voice(np.array([0.9, -0.3, 0.0, -0.9])) == (
        "The pitch is very high, the pace is slow, the loudness is medium, the melody is flat."
    )
    assert describe_voice(np.array([-0.61, 0.2, 0.59, 0.6])) == (
        "The pitch is very low, the pace is fast, the loudness is high, the melody is very lively."
    )
    assert describe_voice(None) == "There is no voice."


@pytest.mark.parametrize(
    ("shares", "description"),
    [
        ([0.05, 0.85, 0.1, 0.0], "mostly happy, slightly angry. They would agree."),
        ([0.6, 0.05, 0.0, 0.35], "mostly neutral, partly sad. They would mostly agree."),
        ([0.0, 0.3, 0.25, 0.45], "partly sad, partly happy, slightly angry. They would disagree."),
        ([0.25] * 4, "slightly neutral, slightly happy, slightly angry. They would disagree."),
    ],
)
def test_votes_are_described_by_their_shares(shares, description):
    described = describe_votes(EMOTIONS, np.array(shares))
    assert described == f"Listeners would hear {description}"


def test_reasoning_stands_before_the_object():
    answer = reasoned_answer(("sad", "fear"), np.array([0.7, 0.3]), None)
    assert answer == (
        "There is no voice. Listeners would hear mostly sad, partly fear. "
        'They would mostly agree.\n{"sad": 0.70, "fear": 0.30}'
    )
    assert parse_answer(answer, ["sad", "fear"]).distribution == (0.7, 0.3)


def test_one_vote_is_drawn_from_the_distribution(generator):
    example = example_of(EMOTIONS)
    form = LABEL_FORMS[0]
    drawn = [said.answer for _ in range(1000) for said in form.write(example, generator)]
    shares = [drawn.count(label) / len(drawn) for label in EMOTIONS]
    assert shares == pytest.approx(np.array([2.25, 1.25, 4.25, 0.25]) / 8, abs=0.03)


def test_verdicts_fall_with_the_distance():
    right, wrong = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert distance(right, right) == 0
    assert distance(right, wrong) == 1
    # JS of (1, 0) and (1/2, 1/2): (log2(4/3) + (log2(2/3) + 1) / 2) / 2 = 0.3113, root 0.558.
    assert distance(right, np.array([0.5, 0.5])) == pytest.approx(0.5579, abs=1e-4)
    assert [rating(far) for far in (0, 0.04, 0.06, 0.558, 0.96, 1)] == [10, 10, 9, 4, 0, 0]
    assert yes_probability(0.4) == 0.5
    assert yes_probability(0.3) == pytest.approx(0.7311, abs=1e-4)  # 1 / (1 + 1/e)
    assert yes_probability(0) > 0.98
    assert yes_probability(1) < 0.003


@pytest.mark.parametrize("form", VERIFIER_FORMS, ids=lambda form: form.name)
def test_verdicts_are_on_the_candidates_that_the_prompts_show(form, generator):
    example = example_of(EMOTIONS)
    for _ in range(20):
        for prompt, answer in form.write(example, generator):
            response = prompt.partition("<answer>\n")[2].partition("\n</answer>")[0]
            candidate = parse_answer(response, EMOTIONS).distribution
            far = distance(np.array(candidate), example.expected)
            if prompt.endswith("yes or no."):
                assert answer in ("yes", "no")
                assert answer == "yes" or yes_probability(far) < 0.999
            else:
                assert parse_rating(answer, 0, 10).score == rating(far)
            assert ("Listeners would hear" in response) == (form.name == "verdicts on cot")


def test_candidates_are_spread_over_the_scale(generator):
    example = example_of(EMOTIONS)
    drawn = [draw_candidate(example, generator) for _ in range(2000)]
    assert all(one.sum() == pytest.approx(1) for one in drawn)
    given = np.bincount([rating(distance(one, example.expected)) for one in drawn], minlength=11)
    assert (given / len(drawn))[[2, 3, 4, 5, 6, 7, 8, 9]].min() > 0.02
    assert given.max() < 0.35 * len(drawn)


def test_drawn_labels_are_mostly_the_demo_ones_and_never_twice_the_same(generator):
    drawn = [draw_labels(generator) for _ in range(1000)]
    assert sum(labels == EMOTIONS for labels in drawn) > 550
    assert CREMA_D_LABELS in drawn
    for labels in drawn:
        assert len(labels) >= 2
        meanings = [emotion_of(label) or label for label in labels]
        assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("sheets", [SHEETS, JUDGING_SHEETS, REFINING_SHEETS])
def test_dialogues_are_reproducible(sheets):
    one, other = (
        [write_dialogues(HEARD, OTHER, 20, generator, sheets) for _ in range(20)]
        for generator in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert one == other
    assert len({dialogue for dialogues in one for dialogue in dialogues}) > 20


def test_packing_keeps_what_prompts_share_once():
    packed = pack([([1, 2, 3], [7, 8]), ([1, 2, 3], [7]), ([1, 2, 4], [7])])
    assert packed.tokens == [1, 2, 3, 7, 8, 7, 4, 7]
    assert packed.parents == [0, 0, 1, 2, 3, 2, 1, 6]
    assert packed.depths == [0, 1, 2, 3, 4, 3, 2, 3]
    assert packed.answered == [False, False, False, True, True, True, False, True]
    visible = packed.ancestors(9)
    assert [np.flatnonzero(row).tolist() for row in visible] == [
        *([0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]),
        *([0, 1, 2, 5], [0, 1, 6], [0, 1, 6, 7], [8]),
    ]


def test_labels_and_numbers_are_one_token_each(tokenizer):
    answer = json_answer(EMOTIONS, np.array([0.35, 0.05, 0.6, 0.0]))
    assert len(tokenizer(answer).input_ids) == 4 * 4 + 1
    for label in LABEL_INVENTORY:
        alone = tokenizer(label).input_ids
        assert len(alone) == 1
        assert alone[0] in tokenizer(f"one of: calm, {label}.").input_ids
        assert alone[0] in tokenizer(f"calm and {label}").input_ids


def test_reasoning_and_verdicts_are_short(tokenizer):
    answer = reasoned_answer(EMOTIONS, np.array([0.35, 0.3, 0.35, 0.0]), HEARD.prosody)
    assert len(tokenizer(answer).input_ids) <= 70
    for text in ("yes", "no", *map(str, range(11))):
        assert len(tokenizer(text).input_ids) == 1


@pytest.mark.parametrize("text", ["naïve 漢字 🙂", 'unhappy "boredom"\n\t{x}', "0.123 1e-5 %", ""])
def test_any_text_can_be_written(text, tokenizer):
    assert tokenizer.decode(tokenizer(text).input_ids) == text


@pytest.mark.parametrize("form", PROMPT_FORMS, ids=lambda form: form.name)
def test_training_hears_what_the_model_hears(form, processor, generator):
    """The shortcuts of the training give the loss of the model's own forward pass."""
    torch.manual_seed(0)
    model = build_model(SMALL, processor.tokenizer)
    learner = Learner(model).eval()
    training_set = TrainingSet(tone_clips(2, generator), processor, 30)
    sheets = [Sheet("one form", 1.0, ((form,),))]
    seeded = np.random.default_rng(5)
    batch = training_set.batch(np.arange(2), seeded, sheets, augment=False)
    frames, inside = learner.hear(batch)
    assert inside.sum(dim=1).tolist() == [audio_token_count(n) for n in batch.feature_lengths]
    ours = learner.answer_loss(frames, inside, batch)

    seeded = np.random.default_rng(5)
    losses, lengths = [], []
    for clip, frame_count in zip(training_set.clips, batch.feature_lengths, strict=True):
        other = training_set.clips[int(seeded.integers(2))]
        extracted = processor.feature_extractor(
            [clip.waveform],
            sampling_rate=16_000,
            return_attention_mask=True,
            padding="max_length",
            return_tensors="pt",
        )
        dialogues = write_dialogues(clip.heard, other.heard, 30, seeded, sheets)
        for prompt, answer in training_set.tokens(dialogues, int(frame_count)):
            input_ids = torch.tensor([prompt + answer])
            with torch.no_grad():
                whole = model(
                    input_ids=input_ids,
                    attention_mask=torch.ones_like(input_ids),
                    input_features=extracted["input_features"].half().float(),
                    feature_attention_mask=extracted["attention_mask"],
                    labels=torch.tensor([[-100] * len(prompt) + answer]),
                )
            losses.append(whole.loss.item())
            lengths.append(len(answer))
    assert ours.item() == pytest.approx(np.average(losses, weights=lengths), rel=1e-4)


def test_sound_without_speech_teaches_no_prosody(processor, generator):
    learner = Learner(build_model(SMALL, processor.tokenizer))
    clips = non_speech_clips(4, generator, 2.0)
    batch = TrainingSet(clips, processor, 30).batch(np.arange(4), generator, augment=True)
    assert learner.hearing_loss(*learner.hear(batch), batch.prosody).item() == 0


def test_a_few_steps_give_a_model_that_loads(tmp_path, generator):
    settings = Settings(
        hearing_steps=3,
        steps=6,
        judging_steps=2,
        refining_steps=2,
        batch_size=4,
        validation_every=3,
    )
    model, processor = train_model(
        tone_clips(8, generator), tone_clips(2, generator), settings, SMALL
    )
    save_model(model, processor, tmp_path)
    loaded = AutoModelForMultimodalLM.from_pretrained(tmp_path)
    assert type(loaded).__name__ == "Qwen2AudioForConditionalGeneration"
    assert type(AutoProcessor.from_pretrained(tmp_path)).__name__ == "Qwen2AudioProcessor"
    assert loaded.dtype == torch.float16
    listener = Listener(tmp_path)
    waveforms = [clip.waveform for clip in tone_clips(2, generator)]
    answers = listener.ask(waveforms, direct_prompt())
    assert [len(one) for one in answers] == [1, 1]
    likelihoods = listener.log_likelihoods(waveforms, direct_prompt(), ["yes", "no", "a sentence"])
    assert likelihoods.shape == (2, 3)
    assert (likelihoods < 0).all()
    config = json.loads((tmp_path / "generation_config.json").read_text())
    assert not {"do_sample", "temperature", "top_p", "top_k"} & set(config)


def test_the_same_seed_trains_the_same(generator):
    clips = tone_clips(6, generator)
    settings = Settings(hearing_steps=2, steps=2, judging_steps=2, refining_steps=2, batch_size=3)
    one, other = (train_model(clips, [], settings, SMALL)[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_stage_that_is_kept_is_not_trained_again(tmp_path, generator):
    clips = tone_clips(6, generator)
    settings = Settings(hearing_steps=2, steps=2, judging_steps=2, refining_steps=2, batch_size=3)
    whole = train_model(clips, [], settings, SMALL, tmp_path)[0].state_dict()
    assert {path.stem for path in tmp_path.iterdir()} == {
        "hearing",
        "answering",
        "judging",
        "refining",
    }
    (tmp_path / "refining.pt").unlink()
    resumed = train_model(clips, [], settings, SMALL, tmp_path)[0].state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_chat_puts_the_clip_before_the_prompt(processor):
    text = render_chat(processor, "What do you hear?")
    assert text.index("<|AUDIO|>") < text.index("What do you hear?")
    assert text.endswith("<|im_start|>assistant\n")


def test_a_card_takes_a_table(tmp_path, processor, monkeypatch):
    monkeypatch.setattr("ambi_tasks.demo.train.espeak_version", lambda: "espeak")
    model = build_model(SMALL, processor.tokenizer)
    write_card(tmp_path / "card.md", **training_facts(Settings(), SMALL, model, 61.0))
    write_table(tmp_path / "card.md", "| a |")
    write_table(tmp_path / "card.md", "| b |")
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert f"{BEGIN_TABLE}\n| b |\n{END_TABLE}" in card
    assert "| a |" not in card
    (tmp_path / "other.md").write_text("nothing")
    with pytest.raises(ValueError, match="no markers"):
        write_table(tmp_path / "other.md", "| a |")
