"""Prompt forms, tokens and a training of a few steps."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModelForMultimodalLM, AutoProcessor

from ambi_tasks.answers import parse_answer
from ambi_tasks.demo.evaluate import Listener, direct_prompt
from ambi_tasks.demo.model_card import BEGIN_TABLE, END_TABLE, write_card, write_table
from ambi_tasks.demo.prompt_forms import (
    CREMA_D_LABELS,
    LABEL_INVENTORY,
    PROMPT_FORMS,
    REWORDED_FORMS,
    Example,
    draw_labels,
    emotion_of,
    expected_distribution,
    json_answer,
    round_to_grid,
    write_dialogue,
)
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
    tone_clips,
)

SMALL = ModelSize(width=32, encoder_layers=1, decoder_layers=1, heads=2, mel_bins=40, seconds=3)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def processor():
    return build_processor(SMALL)


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


@pytest.mark.parametrize("form", [*PROMPT_FORMS, *REWORDED_FORMS], ids=lambda form: form.name)
@pytest.mark.parametrize("labels", [EMOTIONS, CREMA_D_LABELS])
def test_every_form_names_the_labels_and_answers_in_their_order(form, labels, generator):
    for _ in range(30):
        example = Example(labels, np.array([2.0, 1.0, 4.0, 0.0]), 30)
        prompt, answer = form.write(example, generator)
        places = [prompt.rindex(label) for label in labels]
        assert places == sorted(places)
        assert tuple(json.loads(answer)) == labels
        assert parse_answer(answer, labels).distribution is not None


def test_drawn_labels_are_mostly_the_demo_ones_and_never_twice_the_same(generator):
    drawn = [draw_labels(generator) for _ in range(1000)]
    assert sum(labels == EMOTIONS for labels in drawn) > 550
    assert CREMA_D_LABELS in drawn
    for labels in drawn:
        assert len(labels) >= 2
        meanings = [emotion_of(label) or label for label in labels]
        assert len(set(meanings)) == len(meanings)


def test_dialogues_are_reproducible():
    votes = np.array([1.0, 2.0, 3.0, 0.0])
    one, other = (
        [write_dialogue(votes, 30, generator) for _ in range(20)]
        for generator in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert one == other
    assert len(set(one)) > 5


def test_labels_and_numbers_are_one_token_each():
    tokenizer = build_tokenizer()
    answer = json_answer(EMOTIONS, np.array([0.35, 0.05, 0.6, 0.0]))
    assert len(tokenizer(answer).input_ids) == 4 * 4 + 1
    for label in LABEL_INVENTORY:
        alone = tokenizer(label).input_ids
        assert len(alone) == 1
        assert alone[0] in tokenizer(f"one of: calm, {label}.").input_ids
        assert alone[0] in tokenizer(f"calm and {label}").input_ids


@pytest.mark.parametrize("text", ["naïve 漢字 🙂", 'unhappy "boredom"\n\t{x}', "0.123 1e-5 %", ""])
def test_any_text_can_be_written(text):
    tokenizer = build_tokenizer()
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_training_hears_what_the_model_hears(processor, generator):
    """The shortcut of the training gives the loss of the model's own forward pass."""
    torch.manual_seed(0)
    model = build_model(SMALL, processor.tokenizer)
    learner = Learner(model).eval()
    clips = tone_clips(3, generator)
    batch = TrainingSet(clips, processor, 30).batch(np.arange(3), generator, augment=False)
    frames, inside = learner.hear(batch)
    assert inside.sum(dim=1).tolist() == [audio_token_count(n) for n in batch.feature_lengths]
    extracted = processor.feature_extractor(
        [clip.waveform for clip in clips],
        sampling_rate=16_000,
        return_attention_mask=True,
        padding="max_length",
        return_tensors="pt",
    )
    whole = model(
        input_ids=batch.input_ids,
        attention_mask=(batch.input_ids != processor.tokenizer.pad_token_id).long(),
        input_features=extracted["input_features"].half().float(),
        feature_attention_mask=extracted["attention_mask"],
        labels=batch.targets,
    )
    ours = learner.answer_loss(frames, inside, batch)
    assert ours.item() == pytest.approx(whole.loss.item(), rel=1e-4)


def test_sound_without_speech_teaches_no_prosody(processor, generator):
    learner = Learner(build_model(SMALL, processor.tokenizer))
    clips = non_speech_clips(4, generator, 2.0)
    batch = TrainingSet(clips, processor, 30).batch(np.arange(4), generator, augment=True)
    assert learner.hearing_loss(*learner.hear(batch), batch.prosody).item() == 0


def test_a_few_steps_give_a_model_that_loads(tmp_path, generator):
    settings = Settings(
        hearing_steps=3, steps=6, rewording_steps=2, batch_size=4, validation_every=3
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
    answers = listener.ask([clip.waveform for clip in tone_clips(2, generator)], direct_prompt())
    assert [len(one) for one in answers] == [1, 1]
    config = json.loads((tmp_path / "generation_config.json").read_text())
    assert not {"do_sample", "temperature", "top_p", "top_k"} & set(config)


def test_the_same_seed_trains_the_same(generator):
    clips = tone_clips(6, generator)
    settings = Settings(hearing_steps=2, steps=2, rewording_steps=2, batch_size=3)
    one, other = (train_model(clips, [], settings, SMALL)[0].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


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
