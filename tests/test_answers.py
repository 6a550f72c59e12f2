"""The parser of answers: a table of what models write, and properties that hold for any text."""

# ruff: noqa: RUF001 - models write curly quotes and full-width signs, so the table has them

import json
import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambi_tasks.answers import MAX_SEARCHED, Answer, Failure, Repair, parse_answer

NHS = ("neutral", "happy", "sad")
SIX = ("anger", "disgust", "fear", "happy", "neutral", "sad")
GOOD = '{"neutral": 0.5, "happy": 0.3, "sad": 0.2}'
GOOD_NUMBERS = (0.5, 0.3, 0.2)
F, R = Failure, Repair

# Name, text, repairs: every one of these says neutral 0.5, happy 0.3, sad 0.2.
READ = [
    ("json", GOOD, ()),
    ("json_other_order", '{"sad": 0.2, "neutral": 0.5, "happy": 0.3}', ()),
    ("json_lines", '{\n  "neutral": 0.5,\n  "happy": 0.3,\n  "sad": 0.2\n}\n', ()),
    ("json_exponents", '{"neutral": 5e-1, "happy": 3.0E-1, "sad": 0.200}', ()),
    ("json_escape", '{"n\\u0065utral": 0.5, "happy": 0.3, "sad": 0.2}', ()),
    ("capitals_spaces", '{" Neutral ": 0.5, "HAPPY": 0.3, "Sad:": 0.2}', ()),
    ("full_width_letters", '{"ｎｅｕｔｒａｌ": 0.5, "happy": 0.3, "sad": 0.2}', ()),
    ("zero_width_in_key", '{"neu\u200btral": 0.5, "happy": 0.3, "sad": 0.2}', ()),
    ("prose_before", "Sure! Here it is: " + GOOD, (R.SURROUNDING_TEXT,)),
    ("prose_after", GOOD + "\nThe speaker is calm.", (R.SURROUNDING_TEXT,)),
    ("brackets_after", GOOD + " [laughs] {end}", (R.SURROUNDING_TEXT,)),
    ("list_of_words_after", GOOD + '\nTop: ["neutral", "happy"]', (R.SURROUNDING_TEXT,)),
    ("end_token", GOOD + "<|im_end|>", (R.SURROUNDING_TEXT,)),
    ("fence", f"```json\n{GOOD}\n```", (R.CODE_FENCE,)),
    ("fence_unnamed", f"```\n{GOOD}\n```\n", (R.CODE_FENCE,)),
    ("fence_unclosed", f"```json\n{GOOD}", (R.CODE_FENCE,)),
    ("fence_and_prose", f"Answer:\n```json\n{GOOD}\n```", (R.SURROUNDING_TEXT, R.CODE_FENCE)),
    ("answer_tag", f"<answer>{GOOD}</answer>", (R.SURROUNDING_TEXT,)),
    ("double_braces", "{" + GOOD + "}", (R.SURROUNDING_TEXT,)),
    ("think", f"<think>Happy 0.9? No.</think>\n{GOOD}", (R.SURROUNDING_TEXT,)),
    (
        "think_with_draft",
        f'<think>{{"neutral": 0, "happy": 1, "sad": 0}}</think>{GOOD}',
        (R.SURROUNDING_TEXT,),
    ),
    ("think_opened_by_template", f"so, {{sad: 1}}\n</THINK>{GOOD}", (R.SURROUNDING_TEXT,)),
    ("braces_in_prose", f"Of {{neutral, happy, sad}}: {GOOD}", (R.SURROUNDING_TEXT,)),
    ("label_in_prose", f"Mostly neutral: 0.9 at first. {GOOD}", (R.SURROUNDING_TEXT,)),
    (
        "draft_then_final",
        f'Draft: {{"neutral": 1, "happy": 0, "sad": 0}} Final: {GOOD}',
        (R.SURROUNDING_TEXT, R.SEVERAL_OBJECTS),
    ),
    (
        "unreadable_example_then_final",
        'As in {"neutral": 0.1, ...}: ' + GOOD,
        (R.SURROUNDING_TEXT, R.SEVERAL_OBJECTS),
    ),
    ("other_object_first", '{"task": "emotion"}\n' + GOOD, (R.SURROUNDING_TEXT,)),
    ("python", "{'neutral': 0.5, 'happy': 0.3, 'sad': 0.2}", (R.PYTHON_DICT,)),
    (
        "python_none",
        "{'neutral': 0.5, 'happy': 0.3, 'sad': 0.2, 'note': None}",
        (R.PYTHON_DICT, R.EXTRA_TEXT),
    ),
    ("trailing_comma", '{"neutral": 0.5, "happy": 0.3, "sad": 0.2,}', (R.REPAIRED_JSON,)),
    ("missing_comma", '{"neutral": 0.5\n"happy": 0.3\n"sad": 0.2}', (R.REPAIRED_JSON,)),
    ("bare_keys", "{neutral: 0.5, happy: 0.3, sad: 0.2}", (R.REPAIRED_JSON,)),
    ("bare_points", '{"neutral": .5, "happy": .3, "sad": .2}', (R.REPAIRED_JSON,)),
    (
        "comments",
        '{"neutral": 0.5, // level\n "happy": 0.3, # 0.9?\n "sad": 0.2}',
        (R.REPAIRED_JSON,),
    ),
    ("curly_quotes", "{“neutral”: 0.5, “happy”: 0.3, ‘sad’: 0.2}", (R.REPAIRED_JSON,)),
    (
        "full_width_signs",
        '｛"neutral"：0.5，"happy"：0.3，"sad"：0.2｝',
        (R.REPAIRED_JSON,),
    ),
    (
        "percent_strings",
        '{"neutral": "50%", "happy": "30 %", "sad": "20%"}',
        (R.QUOTED_NUMBER, R.PERCENT),
    ),
    ("percent_bare", '{"neutral": 50%, "happy": 30 %, "sad": 20%}', (R.PERCENT,)),
    ("percent_integers", '{"neutral": 50, "happy": 30, "sad": 20}', (R.PERCENT,)),
    (
        "percent_and_bare_zero",
        '{"neutral": 50%, "happy": 30%, "sad": 20%, "x": 0}',
        (R.UNKNOWN_ZERO, R.PERCENT),
    ),
    ("number_strings", '{"neutral": "0.5", "happy": " .3 ", "sad": 0.2}', (R.QUOTED_NUMBER,)),
    ("nested", '{"emotions": ' + GOOD + "}", (R.NESTED,)),
    ("nested_twice", '{"answer": {"distribution": ' + GOOD + "}}", (R.NESTED,)),
    ("nested_in_list", f"[{GOOD}]", (R.NESTED,)),
    (
        "nested_beside_fields",
        '{"reasoning": "a happy {tone}", "confidence": 0.9, "distribution": ' + GOOD + "}",
        (R.NESTED, R.EXTRA_TEXT),
    ),
    (
        "nested_beside_reasons",
        '{"distribution": ' + GOOD + ', "reasons": {"happy": "laughs", "sad": "sighs"}}',
        (R.NESTED, R.EXTRA_TEXT),
    ),
    ("field_of_text", GOOD[:-1] + ', "reasoning": "level tone"}', (R.EXTRA_TEXT,)),
    ("unknown_zero", GOOD[:-1] + ', "fear": 0, "calm": 0.0}', (R.UNKNOWN_ZERO,)),
    (
        "list_of_objects",
        (
            '[{"label": "neutral", "score": 0.5}, {"label": "happy", "score": 0.3},\n'
            ' {"label": "sad", "score": 0.2}]'
        ),
        (R.LABEL_LIST,),
    ),
    (
        "list_of_objects_nested",
        (
            '{"emotions": [{"emotion": "Neutral", "probability": 50, "why": "level"},'
            ' {"emotion": "Happy", "probability": 30}, {"emotion": "Sad", "probability": 20}]}'
        ),
        (R.NESTED, R.LABEL_LIST, R.EXTRA_TEXT, R.PERCENT),
    ),
    ("list_of_pairs", '[["neutral", 0.5], ["happy", 0.3], ["sad", 0.2]]', (R.LABEL_LIST,)),
    (
        "list_of_tuples",
        "[('neutral', 0.5), ('happy', 0.3), ('sad', 0.2)]",
        (R.PYTHON_DICT, R.LABEL_LIST),
    ),
    ("list_of_single_keys", '[{"neutral": 0.5}, {"happy": 0.3}, {"sad": 0.2}]', (R.LABEL_LIST,)),
    ("word_forms", '{"Neutrality": 0.5, "happiness": 0.3, "sadness": 0.2}', (R.WORD_FORM,)),
    ("word_form_spelling", '{"neutral_state": 0.5, "happy": 0.3, "sad": 0.2}', (R.WORD_FORM,)),
    ("repeated_same", GOOD[:-1] + ', "sad": 0.2}', (R.REPEATED_LABEL,)),
    ("repeated_form_same", GOOD[:-1] + ', "sadness": 0.2}', (R.WORD_FORM, R.REPEATED_LABEL)),
    ("lines", "neutral: 0.5\nhappy: 0.3\nsad: 0.2", (R.PLAIN_LIST,)),
    ("commas", "Neutral: 0.5, happy: 0.3, and sad: 0.2.", (R.PLAIN_LIST,)),
    ("bullets", "- Neutral: 50%\n- **Happy:** 30%\n- **Sad**: 20%", (R.PLAIN_LIST, R.PERCENT)),
    ("numbered", "1. neutral = 0.5\n2. happy = 0.3\n3. sad = 0.2", (R.PLAIN_LIST,)),
    (
        "table",
        "| Emotion | Probability |\n|---|---|\n| neutral | 0.5 |\n| happy | 0.3 |\n| sad | 0.2 |",
        (R.SURROUNDING_TEXT, R.PLAIN_LIST),
    ),
    (
        "lines_after_prose",
        "Two listeners may say neutral.\nMy estimate: neutral: 0.5\nhappy: 0.3\nsad: 0.2",
        (R.SURROUNDING_TEXT, R.PLAIN_LIST),
    ),
    (
        "lines_after_example",
        'Not {"neutral": 0, "happy": 1, "sad": 0} but\nneutral: 0.5\nhappy: 0.3\nsad: 0.2',
        (R.SURROUNDING_TEXT, R.SEVERAL_OBJECTS, R.PLAIN_LIST),
    ),
]

# Name, text, distribution, repairs.
SCALED = [
    (
        "sum_within_tolerance",
        '{"neutral": 0.5, "happy": 0.3, "sad": 0.21}',
        (50 / 101, 30 / 101, 21 / 101),
        (),
    ),
    (
        "sum_at_tolerance",
        '{"neutral": 0.52, "happy": 0.3, "sad": 0.2}',
        (52 / 102, 30 / 102, 20 / 102),
        (),
    ),
    (
        "sum_beyond_tolerance",
        '{"neutral": 0.5, "happy": 0.3, "sad": 0.1}',
        (5 / 9, 3 / 9, 1 / 9),
        (R.RENORMALISED,),
    ),
    (
        "sum_at_the_bound",
        '{"neutral": 1, "happy": 0.25, "sad": 0.25}',
        (2 / 3, 1 / 6, 1 / 6),
        (R.RENORMALISED,),
    ),
    (
        "percent_off",
        '{"neutral": "60%", "happy": "40%", "sad": "20%"}',
        (1 / 2, 1 / 3, 1 / 6),
        (R.QUOTED_NUMBER, R.PERCENT, R.RENORMALISED),
    ),
    ("percent_99", '{"neutral": 33, "happy": 33, "sad": 33}', (1 / 3,) * 3, (R.PERCENT,)),
    ("one_label", '{"happy": 1}', (0.0, 1.0, 0.0), (R.UNLISTED_ZERO,)),
    ("one_label_percent", '{"happy": 100}', (0.0, 1.0, 0.0), (R.PERCENT, R.UNLISTED_ZERO)),
    ("two_labels", '{"happy": 0.4, "sad": 0.6}', (0.0, 0.4, 0.6), (R.UNLISTED_ZERO,)),
    ("one_hot_integers", '{"neutral": 0, "happy": 1, "sad": 0}', (0.0, 1.0, 0.0), ()),
    (
        "last_of_two_leaves_some_out",
        GOOD + ' {"happy": 0.4, "sad": 0.6}',
        (0.0, 0.4, 0.6),
        (R.SURROUNDING_TEXT, R.SEVERAL_OBJECTS, R.UNLISTED_ZERO),
    ),
    ("negative_zero", '{"neutral": -0.0, "happy": 1, "sad": 0}', (0.0, 1.0, 0.0), ()),
]

# Name, text, failure.
FAILED = [
    ("empty", "", F.EMPTY),
    ("white_space", " \n\t ", F.EMPTY),
    ("nothing_after_reasoning", f"<think>{GOOD}</think>\n", F.EMPTY),
    ("reasoning_cut", f"<think>Perhaps {GOOD} but", F.UNFINISHED_REASONING),
    ("refusal", "I'm sorry, but I cannot determine emotions from audio.", F.REFUSAL),
    ("refusal_unable", "I am unable to listen to audio files.", F.REFUSAL),
    ("refusal_ai", "As an AI language model, I have no ears.", F.REFUSAL),
    ("refusal_curly", "I can’t help with that.", F.REFUSAL),
    ("transcript_not_refusal", "I can't believe this is happening!", F.NO_OBJECT),
    ("prose", "The speaker sounds mostly neutral and a little happy.", F.NO_OBJECT),
    ("one_word", "happy", F.NO_OBJECT),
    ("list_of_words", '["neutral", "happy"]', F.NO_OBJECT),
    ("list_of_numbers", "[0.5, 0.3, 0.2]", F.NO_OBJECT),
    ("lines_without_one_label", "neutral: 0.5\nhappy: 0.5", F.NO_OBJECT),
    ("lines_with_one_label_twice", "neutral: 0.5\nhappy: 0.3\nsad: 0.2\nsad: 0.2", F.NO_OBJECT),
    ("lines_with_decimal_commas", "neutral: 0,5, happy: 0,3, sad: 0,2", F.NO_OBJECT),
    ("lines_with_ranges", "neutral: 0.4-0.6\nhappy: 0.3\nsad: 0.2", F.NO_OBJECT),
    ("lines_with_unknown", "neutral: 0.5\nhappy: 0.3\nsad: 0.2\ncalm: 0.1", F.UNKNOWN_LABEL),
    ("lines_negative", "neutral: 0.9\nhappy: 0.3\nsad: -0.2", F.NEGATIVE),
    ("cut_in_key", '{"neutral": 0.5, "hap', F.TRUNCATED),
    ("cut_in_number", '{"neutral": 0.5, "happy": 0.', F.TRUNCATED),
    ("cut_before_brace", GOOD[:-1], F.TRUNCATED),
    ("cut_outer", '{"emotions": ' + GOOD, F.TRUNCATED),
    ("cut_at_once", "{", F.TRUNCATED),
    ("cut_in_fence", '```json\n{"neutral": 0.5,\n', F.TRUNCATED),
    ("cut_after_example", f'For example {GOOD}. Mine: {{"neutral": 0.1, "ha', F.TRUNCATED),
    ("cut_list", '[{"label": "neutral", "score": 0.5}, {"label": "ha', F.TRUNCATED),
    ("ellipsis", '{"neutral": 0.5, ...}', F.MALFORMED),
    ("two_values", '{"neutral": 0.4 or 0.5, "happy": 0.3, "sad": 0.2}', F.MALFORMED),
    ("range", '{"neutral": 0.4-0.6, "happy": 0.3, "sad": 0.2}', F.MALFORMED),
    ("fraction", '{"neutral": 1/2, "happy": 1/4, "sad": 1/4}', F.MALFORMED),
    ("decimal_commas", '{"neutral": 0,5, "happy": 0,3, "sad": 0,2}', F.MALFORMED),
    ("colons_missing", '{"neutral" 0.5, "happy" 0.3, "sad" 0.2}', F.MALFORMED),
    ("code", '{"neutral": sum([1]), "happy": 0.3, "sad": 0.2}', F.MALFORMED),
    ("placeholders", '{"neutral": <p>, "happy": <p>, "sad": <p>}', F.MALFORMED),
    ("malformed_after_example", GOOD + ' Mine: {"happy": 0.4 or 0.5}', F.MALFORMED),
    ("two_distributions", f'{{"first": {GOOD}, "second": {GOOD}}}', F.MALFORMED),
    ("distribution_within", f'{{"happy": 1, "final": {GOOD}}}', F.MALFORMED),
    ("list_of_distributions", f"[{GOOD}, {GOOD}]", F.MALFORMED),
    ("word", '{"neutral": "high", "happy": 0.3, "sad": 0.2}', F.NOT_A_NUMBER),
    ("bare_words", "{neutral: high, happy: low, sad: very low}", F.NOT_A_NUMBER),
    ("true", '{"neutral": true, "happy": false, "sad": false}', F.NOT_A_NUMBER),
    ("null", '{"neutral": 0.5, "happy": 0.5, "sad": null}', F.NOT_A_NUMBER),
    ("nan", '{"neutral": NaN, "happy": 0.3, "sad": 0.2}', F.NOT_A_NUMBER),
    ("minus_infinity", '{"neutral": -Infinity, "happy": 0.3, "sad": 0.2}', F.NOT_A_NUMBER),
    ("huge_exponent", '{"neutral": 1e999, "happy": 0.3, "sad": 0.2}', F.NOT_A_NUMBER),
    ("huge_integer", '{"neutral": 1' + "0" * 5000 + "}", F.NOT_A_NUMBER),
    ("quoted_decimal_comma", '{"neutral": "0,5", "happy": "0,5", "sad": 0}', F.NOT_A_NUMBER),
    ("object_as_value", '{"neutral": {"low": 1}, "happy": 0, "sad": 0}', F.NOT_A_NUMBER),
    ("negative", '{"neutral": 1.2, "happy": -0.2, "sad": 0}', F.NEGATIVE),
    ("negative_unlisted", '{"neutral": 1.2, "happy": -0.2}', F.NEGATIVE),
    ("duplicate", '{"neutral": 0.5, "happy": 0.3, "sad": 0.2, "happy": 0.1}', F.DUPLICATE_LABEL),
    ("duplicate_form", '{"neutral": 0.5, "happy": 0.3, "happiness": 0.2}', F.DUPLICATE_LABEL),
    ("unknown_with_mass", GOOD[:-1] + ', "fear": 0.1}', F.UNKNOWN_LABEL),
    ("synonym", '{"calm": 0.5, "happy": 0.3, "sad": 0.2}', F.UNKNOWN_LABEL),
    ("no_key_is_a_label", '{"joy": 0.6, "grief": 0.4}', F.UNKNOWN_LABEL),
    ("label_as_value", '{"emotion": "happy"}', F.UNKNOWN_LABEL),
    ("no_pair_is_a_label", '[["joy", 0.6], ["grief", 0.4]]', F.UNKNOWN_LABEL),
    ("mixed_units", '{"neutral": "50%", "happy": 0.3, "sad": 0.2}', F.MIXED_UNITS),
    ("missing", '{"neutral": 0.5, "happy": 0.3}', F.MISSING_LABEL),
    ("missing_percent", '{"neutral": 50, "happy": 30}', F.MISSING_LABEL),
    ("missing_after_example", GOOD + ' {"neutral": 0.5}', F.MISSING_LABEL),
    ("empty_object", "{}", F.MISSING_LABEL),
    ("one_object_per_label", '{"happy": 1}\n{"sad": 1}', F.MISSING_LABEL),
    ("zeros", '{"neutral": 0, "happy": 0, "sad": 0}', F.ZERO_SUM),
    ("percent_zeros", '{"neutral": "0%", "happy": "0%", "sad": "0%"}', F.ZERO_SUM),
    ("sum_too_small", '{"neutral": 0.1, "happy": 0.1, "sad": 0.1}', F.BAD_SUM),
    ("sum_too_large", '{"neutral": 0.9, "happy": 0.8, "sad": 0.7}', F.BAD_SUM),
    ("ratings", '{"neutral": 5, "happy": 4, "sad": 3}', F.BAD_SUM),
    ("counts", '{"neutral": 3, "happy": 2, "sad": 0}', F.BAD_SUM),
    ("percent_of_one", '{"neutral": "0.5%", "happy": "0.3%", "sad": "0.2%"}', F.BAD_SUM),
    ("overflowing", '{"neutral": 1e308, "happy": 1e308, "sad": 1e308}', F.BAD_SUM),
    ("above_one", '{"neutral": 1.2, "happy": 0.1, "sad": 0.1}', F.OUT_OF_RANGE),
    ("above_100", '{"neutral": 120, "happy": 0, "sad": 0}', F.OUT_OF_RANGE),
]


def _cases(table: Sequence[tuple[object, ...]]) -> list[object]:
    return [pytest.param(*row[1:], id=str(row[0])) for row in table]


def check(answer: Answer, numbers: tuple[float, ...], repairs: tuple[Repair, ...]) -> None:
    assert answer.failure is None
    assert answer.distribution == pytest.approx(numbers, abs=1e-12)
    assert answer.repairs == repairs


@pytest.mark.parametrize(("text", "repairs"), _cases(READ))
def test_reads_what_models_write(text: str, repairs: tuple[Repair, ...]) -> None:
    check(parse_answer(text, NHS), GOOD_NUMBERS, repairs)


@pytest.mark.parametrize(("text", "numbers", "repairs"), _cases(SCALED))
def test_scales_only_within_the_bounds(
    text: str, numbers: tuple[float, ...], repairs: tuple[Repair, ...]
) -> None:
    check(parse_answer(text, NHS), numbers, repairs)


@pytest.mark.parametrize(("text", "failure"), _cases(FAILED))
def test_names_the_failure(text: str, failure: Failure) -> None:
    assert parse_answer(text, NHS) == Answer(None, failure, ())


def test_every_failure_and_repair_has_a_case() -> None:
    withheld = {Failure.WITHHELD}  # not to be seen in a text, see tests/test_scoring.py
    assert {row[2] for row in FAILED} | withheld == set(Failure)
    assert {repair for row in [*READ, *SCALED] for repair in row[-1]} == set(Repair)


def test_ten_point_ratings_are_no_percentages() -> None:
    ratings = json.dumps(dict(zip(SIX, (9, 8, 9, 8, 9, 9), strict=True)))
    assert parse_answer(ratings, SIX).failure is Failure.BAD_SUM


def test_small_percentages_that_sum_to_100_are_percentages() -> None:
    labels = [f"label {number}" for number in range(10)]
    answer = parse_answer(json.dumps(dict.fromkeys(labels, 10)), labels)
    check(answer, (0.1,) * 10, (Repair.PERCENT,))


def test_a_form_that_is_a_label_stays_that_label() -> None:
    labels = ("fear", "scared")
    assert parse_answer('{"fear": 0.7, "scared": 0.3}', labels).distribution == (0.7, 0.3)
    # Either label could be meant.
    assert parse_answer('{"afraid": 0.7, "scared": 0.3}', labels).failure is F.UNKNOWN_LABEL


@pytest.mark.parametrize(
    ("label", "word"),
    [
        ("Happiness", "happy"),
        ("angry", "Anger"),
        ("fear", "scared"),
        ("Fearful", "afraid"),
        ("disgust", "disgusted"),
        ("surprised", "surprise"),
        ("excitement", "excited"),
        ("frustrated", "Frustration"),
        ("contempt", "contemptuous"),
    ],
)
def test_word_forms_work_both_ways(label: str, word: str) -> None:
    answer = parse_answer(json.dumps({word: 0.25, "other": 0.75}), [label, "Other"])
    check(answer, (0.25, 0.75), (Repair.WORD_FORM,))


@pytest.mark.parametrize("labels", [[], [""], ["sad", " "], ["sad", "Sad"], ["a_b", "a b"]])
def test_labels_must_be_told_apart(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="labels"):
        parse_answer(GOOD, labels)


def test_names_are_plain_strings_in_logs() -> None:
    answer = parse_answer("Hm: " + GOOD, NHS)
    assert json.dumps(answer.repairs) == '["surrounding_text"]'
    assert f"{Failure.NO_OBJECT} {Repair.PERCENT}" == "no_object percent"


def test_only_the_end_of_a_long_answer_is_searched() -> None:
    early = GOOD + " and" * MAX_SEARCHED
    assert parse_answer(early, NHS).failure is Failure.NO_OBJECT
    late = "and " * MAX_SEARCHED + GOOD
    check(parse_answer(late, NHS), GOOD_NUMBERS, (Repair.SURROUNDING_TEXT,))


HOSTILE = {
    "braces": "{" * 10**6,
    "brackets": "[" * 10**6,
    "nested_objects": '{"happy":' * 10**5,
    "nested_lists": "[[" * 10**5 + "]]" * 10**5,
    "quotes": "{'" * 10**5,
    "escaped_quotes": '{"\\"' * 10**5,
    "curly_quotes": "{“" * 10**5,
    "strings_of_objects": '{"a":"{' * 10**5,
    "broken_objects": '{"happy" 0, ' * 10**5,
    "many_objects": '{"happy": 0.1} ' * 10**5,
    "digits": '{"happy": ' + "9" * 19_000 + "x}",
    "points": '{"happy": ' + "." * 19_000 + "}",
    "percent_signs": '{"happy": 1' + "%" * 19_000 + "}",
    "spaces": '{"happy": 1' + " " * 19_000 + "x}",
    "words": "{" + "a " * 9_000,
    "colons": ": 1" * 10**5,
    "pipes": "| 1 |" * 10**5,
    "tags": "<think>" * 10**5 + "</think>",
    "refusing": "I can not " * 10**5,
    "surrogates": '{"\ud800": 1, "\\ud800": 1, \udfff: 1}',
    "nul_bytes": '\x00{"happy"\x00: 1}\x00',
    "combining_marks": '{"' + "\u0327\u0301" * 9_000 + '": 1}',
    "long_ligatures": "\ufdfa" * 10**5,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_fails_fast(text: str) -> None:
    start = time.process_time()
    answer = parse_answer(text, SIX)
    assert answer.failure is not None
    assert time.process_time() - start < 2  # in truth a fraction


# --- properties ----------------------------------------------------------------------------------

few = settings(max_examples=150, deadline=None, database=None, derandomize=True)
distributions = (
    st.lists(st.integers(0, 1000), min_size=6, max_size=6)
    .filter(any)
    .map(lambda counts: tuple(count / sum(counts) for count in counts))
)
RENDERINGS = {
    "json": json.dumps,
    "indented": lambda mapping: json.dumps(mapping, indent=2),
    "python": repr,
    "fenced": lambda mapping: f"```json\n{json.dumps(mapping)}\n```",
    "prose": lambda mapping: f"It is mostly sad (see [1]). {json.dumps(mapping)} That's all.",
    "nested": lambda mapping: json.dumps({"why": "tone", "emotions": mapping}),
    "percent": lambda mapping: json.dumps({k: f"{100 * v!r}%" for k, v in mapping.items()}),
    "pairs": lambda mapping: json.dumps(list(mapping.items())),
    "records": lambda mapping: json.dumps(
        [{"label": k.title(), "score": str(v)} for k, v in mapping.items()]
    ),
    "lines": lambda mapping: "\n".join(f"- {k.title()}: {v!r}" for k, v in mapping.items()),
}


@pytest.mark.parametrize("render", RENDERINGS.values(), ids=RENDERINGS)
@given(numbers=distributions, order=st.permutations(SIX))
@few
def test_round_trip_in_any_key_order(render, numbers, order) -> None:  # type: ignore[no-untyped-def]
    mapping = dict(zip(SIX, numbers, strict=True))
    answer = parse_answer(render({label: mapping[label] for label in order}), SIX)
    assert answer.distribution == pytest.approx(numbers, abs=1e-9)


@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from((*SIX, "happiness", "calm", "why")),
            st.sampled_from((0, 0.2, 0.5, 1, 30, 70, -1, "40%", "60%", "high", None)),
        ),
        max_size=7,
    ),
    data=st.data(),
)
@few
def test_key_order_never_matters(pairs: list[tuple[str, object]], data: st.DataObject) -> None:
    def rendered(these: list[tuple[str, object]]) -> str:
        return "{" + ", ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in these) + "}"

    shuffled = data.draw(st.permutations(pairs))
    assert parse_answer(rendered(pairs), SIX) == parse_answer(rendered(shuffled), SIX)


@given(numbers=distributions, order=st.permutations(range(6)))
@few
def test_permuted_labels_permute_the_distribution(
    numbers: tuple[float, ...], order: list[int]
) -> None:
    text = json.dumps(dict(zip(SIX, numbers, strict=True)))
    straight = parse_answer(text, SIX).distribution
    permuted = parse_answer(text, [SIX[at] for at in order]).distribution
    assert straight is not None
    assert permuted == tuple(straight[at] for at in order)


SHREDS = (*"{}[]():,\"'%.-|\n `", *SIX, "happiness", "label", "score", "0.5", "50%", "1", "1e999",
    '"happy": 0.5', '"sad": 0.5', "true", "NaN", "</think>", "```json", GOOD)  # fmt: skip
any_text = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=60),
    st.lists(st.sampled_from(SHREDS), max_size=25).map("".join),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.sampled_from(SHREDS),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SIX), inner),
        max_leaves=12,
    ).map(json.dumps),
)


@given(text=any_text)
@settings(few, max_examples=1000)
def test_any_text_gives_a_distribution_or_a_failure(text: str) -> None:
    answer = parse_answer(text, SIX)
    assert (answer.distribution is None) == (answer.failure is not None)
    if answer.distribution is not None:
        assert len(answer.distribution) == len(SIX)
        assert all(0 <= share <= 1 for share in answer.distribution)
        assert math.isclose(sum(answer.distribution), 1, abs_tol=1e-9)
        assert list(answer.repairs) == [repair for repair in Repair if repair in answer.repairs]


@given(cut=st.integers(1, len(GOOD) - 1), lead=st.sampled_from(("", "So: ", GOOD + "\nMine: ")))
@few
def test_a_cut_answer_is_truncated_wherever_it_is_cut(cut: int, lead: str) -> None:
    assert parse_answer(lead + GOOD[:cut], NHS).failure is Failure.TRUNCATED
