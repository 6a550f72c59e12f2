"""The parser of verdicts: a table of what verifiers write, and properties of any text."""

# ruff: noqa: RUF001 - models write curly quotes and full-width signs, so the table has them

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambi_tasks.verdicts import MAX_LENGTH, Rating, RatingFailure, parse_rating

F = RatingFailure
DISTRIBUTION = '{"neutral": 0.5, "happy": 0.3, "sad": 0.2}'

# Text, rating on the scale from 0 to 10.
READ = [
    ("8", 8),
    (" 8\n", 8),
    ("8.", 8),
    ("8.5", 8.5),
    (".5", 0.5),
    ("0", 0),
    ("-0", 0),
    ("10", 10),
    ("10.0", 10),
    ("1e1", 10),
    ("８", 8),
    ("８．５", 8.5),
    ("٨", 8),
    ("1\u200b0", 10),
    ("\x008\x00", 8),
    ("\ufeff8", 8),
    ("[8]", 8),
    ("(8)", 8),
    ("'8'", 8),
    ("**8**", 8),
    ("`8`", 8),
    ("> 8", 8),
    ("8!", 8),
    ("8 points", 8),
    ("8 pts.", 8),
    ("8<|im_end|>", 8),
    ("<answer>8</answer>", 8),
    ("$8$", 8),
    ("```\n8\n```", 8),
    ("The tone fits.\n```json\n8\n```", 8),
    ("8/10", 8),
    ("8 / 10", 8),
    ("8／10", 8),
    ("8⁄10", 8),
    ("8 out of 10", 8),
    ("8 of 10", 8),
    ("8 points out of 10.", 8),
    ("10/10", 10),
    ("A fair estimate, 8/10, on the whole.", 8),
    ("It is not perfect, but 8/10.", 8),
    ("I'd say 8 out of 10.", 8),
    ("I’d say 8.", 8),
    ("I would give it an 8.", 8),
    ("I'd give this answer a 7, since the tone is flat.", 7),
    ("I rate this answer a 6.", 6),
    ("Overall, I would rate the response as a 6.", 6),
    ("The answer deserves a 6.", 6),
    ("On a scale of 0 to 10, I would rate this answer a 7.", 7),
    ("On a scale from 0-10, I'd give it a 7.", 7),
    ("**Score: 8**", 8),
    ("**Score**: 8", 8),
    ("_Score_: 8", 8),
    ("Score:8", 8),
    ("Score = 8", 8),
    ("Score - 8", 8),
    ("Score — 8", 8),
    ("Score → 8", 8),
    ("Score: 8/10", 8),
    ("Score: 8 (good)", 8),
    ("Score: 8 points", 8),
    ("Score (0-10): 8", 8),
    ("Score (out of 10): 8", 8),
    ("Score out of 10: 8", 8),
    ("Score [0 to 10] = 8", 8),
    ("score: 8.\nThe tone is right.", 8),
    ("SCORE：８", 8),
    ("### Score\n8\nThe tone is right.", 8),
    ("| Score | 8 |", 8),
    ("Rating: 7 because it has 3 of the cues", 7),
    ("Rating: 7 because 3 of 4 cues fit, and 0.2 is too little for sad", 7),
    ("My rating is 7.", 7),
    ("the rating would be about 7", 7),
    ("It gives a score of 7 for this answer.", 7),
    ("Rated 7.", 7),
    ("Grade: 7", 7),
    ("Verdict: 7", 7),
    ("Answer: 7", 7),
    ("Overall: 7", 7),
    ("Initial score: 5. Final score: 7", 7),
    ("Tone score: 3, pitch score: 4, overall score: 8", 8),
    ("<score>8</score>", 8),
    (r"\boxed{8}", 8),
    (r"So the rating is $\boxed{8}$.", 8),
    ('{"score": 8}', 8),
    ('{"score": "8"}', 8),
    ("{'rating': 8}", 8),
    ('{"reason": "3 cues, 0.5 is too much", "score": 8}', 8),
    ('{"pitch_score": 3, "score": 8}', 8),
    ('```json\n{"score": 8}\n```', 8),
    (f"The answer {DISTRIBUTION} fits.\nScore: 8", 8),
    (f"{DISTRIBUTION}\n8", 8),
    ("8\n\nThe tone is right in 3 places.", 8),
    ("8, because the tone is right.", 8),
    ("8 - the tone is right.", 8),
    ("8 (the tone is right)", 8),
    ("8 because the tone is right", 8),
    ("3 of the cues fit.\n\n8", 8),
    ("Tone\n3\nPitch\n4\nOverall\n8", 8),
    ("1. Tone fits\n2. Pitch fits\nScore: 7", 7),
    ("A score of 10 would need more of it. I'd give it a 6.", 6),
    ("Score: 8. Yes, 8/10.", 8),
    ("8\n8\n8", 8),
    ("<think>Perhaps 3? No.</think>8", 8),
    ("Score: 2, no.</think>Score: 8", 8),
    ("Mostly 愤怒. Score: 8", 8),
    ("fröhlich: 0,5\nScore: 8", 8),
    ("As an AI I can't listen, but the score is 5.", 5),
]

# Text, failure on the scale from 0 to 10.
FAILED = [
    ("", F.EMPTY),
    (" \n\t", F.EMPTY),
    ("\u200b\x00", F.EMPTY),
    ("<think>8</think>\n", F.EMPTY),
    ("<think>8", F.UNFINISHED_REASONING),
    ("8\n<reasoning>or 7", F.UNFINISHED_REASONING),
    ("8" + " and" * MAX_LENGTH, F.TOO_LONG),
    ("I cannot listen to audio.", F.REFUSAL),
    ("I'm sorry, but I am unable to rate this.", F.REFUSAL),
    ("As an AI, I have no ears; there is 1 clip.", F.REFUSAL),
    ("On a scale of 0 to 10 I cannot assess this.", F.REFUSAL),
    ("The answer is good.", F.NO_NUMBER),
    ("eight", F.NO_NUMBER),
    ("Score: high", F.NO_NUMBER),
    ("From 0 to 10?", F.NO_NUMBER),
    ("Score: 0-10", F.NO_NUMBER),
    ("Qwen2-7B at 16kHz, the 3rd", F.NO_NUMBER),
    ("7½", F.NO_NUMBER),
    ("10²", F.NO_NUMBER),
    ("8-ish", F.NO_NUMBER),
    ("8 or 9", F.AMBIGUOUS),
    ("8 9", F.AMBIGUOUS),
    ("7-8", F.AMBIGUOUS),
    ("7–8", F.AMBIGUOUS),
    ("7 to 8", F.AMBIGUOUS),
    ("8±1", F.AMBIGUOUS),
    ("8+", F.AMBIGUOUS),
    ("~~8~~ 7", F.AMBIGUOUS),
    ("8\u0336", F.AMBIGUOUS),
    ("Score: 7 or 8", F.AMBIGUOUS),
    ("Score: 7-8", F.AMBIGUOUS),
    ("Score: 7/10 or 8/10", F.AMBIGUOUS),
    ("between 6/10 and 8/10", F.AMBIGUOUS),
    ("Score: 5. Score: 7.", F.AMBIGUOUS),
    ("Score: 7\n8", F.AMBIGUOUS),
    ("6/10, no, 7/10", F.AMBIGUOUS),
    ("Final score: 6. Final score: 7.", F.AMBIGUOUS),
    ("7,5", F.AMBIGUOUS),
    ("Score: 7,5", F.AMBIGUOUS),
    ("Score: 7, 3 of the cues fit", F.AMBIGUOUS),
    ("8:30", F.AMBIGUOUS),
    ("8.5.2", F.AMBIGUOUS),
    ("1\x000", F.AMBIGUOUS),
    ("The answer names 3 emotions.", F.AMBIGUOUS),
    ("The answer names 3 emotions and should name 4.", F.AMBIGUOUS),
    ("It should say 0.5.", F.AMBIGUOUS),
    ("I'd say 0.5.", F.AMBIGUOUS),
    ("I would give happy 0.5.", F.AMBIGUOUS),
    ("I would give 0.5 to happy.", F.AMBIGUOUS),
    ("Happy score: 0.8", F.AMBIGUOUS),
    ("The score for happy is 0.8.", F.AMBIGUOUS),
    ("It gives a score of 0.8 to happy.", F.AMBIGUOUS),
    ("Happy has a score of 0.8.", F.AMBIGUOUS),
    ("The maximum score is 10.", F.AMBIGUOUS),
    ("A score of 10 would need more.", F.AMBIGUOUS),
    ("It is not 10/10.", F.AMBIGUOUS),
    ("The rating is not a score of 10.", F.AMBIGUOUS),
    ("More than 8/10.", F.AMBIGUOUS),
    ("8 out of 10 listeners would hear sadness.", F.AMBIGUOUS),
    ("Score: 3 emotions are named", F.AMBIGUOUS),
    ("Score:\n1. The tone fits\n2. The pitch fits", F.AMBIGUOUS),
    ("7. The answer fits.", F.AMBIGUOUS),
    ("1 - the tone fits\n2 - the pitch does not", F.AMBIGUOUS),
    ("1\nThe tone fits\n2\nThe pitch does not", F.AMBIGUOUS),
    (DISTRIBUTION, F.AMBIGUOUS),
    ("neutral: 0.5\nhappy: 0.5", F.AMBIGUOUS),
    ('{"rating_10": 7}', F.AMBIGUOUS),
    ('{"score": [7, 8]}', F.AMBIGUOUS),
    ('{"score": {"tone": 7}}', F.AMBIGUOUS),
    ("7/5", F.OTHER_SCALE),
    ("4/5", F.OTHER_SCALE),
    ("Score: 4 out of 5", F.OTHER_SCALE),
    ("80/100", F.OTHER_SCALE),
    ("80%", F.OTHER_SCALE),
    ("Score: 8%", F.OTHER_SCALE),
    ("Score (1-5): 4", F.OTHER_SCALE),
    ("Score out of 5: 4", F.OTHER_SCALE),
    ("On a scale of 1 to 5, I'd give it a 4.", F.OTHER_SCALE),
    ("On a 5-point scale: 4", F.OTHER_SCALE),
    ("11", F.OUT_OF_RANGE),
    ("-3", F.OUT_OF_RANGE),
    ("−3", F.OUT_OF_RANGE),
    ("Score: -3", F.OUT_OF_RANGE),
    ("Score -3", F.OUT_OF_RANGE),
    ("12/10", F.OUT_OF_RANGE),
    ("1e999", F.OUT_OF_RANGE),
    ("1" + "0" * 5000, F.OUT_OF_RANGE),
]


@pytest.mark.parametrize(("text", "score"), READ)
def test_reads_what_verifiers_write(text: str, score: float) -> None:
    assert parse_rating(text, 0, 10) == Rating(score, None)


@pytest.mark.parametrize(("text", "failure"), FAILED, ids=range(len(FAILED)))
def test_names_the_failure(text: str, failure: RatingFailure) -> None:
    assert parse_rating(text, 0, 10) == Rating(None, failure)


def test_every_failure_has_a_case() -> None:
    assert {failure for _, failure in FAILED} | {F.TRUNCATED, F.WITHHELD} == set(F)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("1", None),
        ("Score: 1", None),
        ("Score: 1.", None),
        ("Score: 1,", None),
        ("**Score: 1**", 1),
        ("Score: 1.\nThe", 1),
        ("Score: 1 because", 1),
        ("Score: 1\nIt names 3", 1),
        ('{"score": 1}', 1),
    ],
)
def test_a_rating_at_the_end_of_a_cut_verdict_may_lack_digits(
    text: str, score: float | None
) -> None:
    failure = F.TRUNCATED if score is None else None
    assert parse_rating(text, 0, 10, cut=True) == Rating(score, failure)
    assert parse_rating(text, 0, 10) == Rating(1, None)


@pytest.mark.parametrize(
    ("text", "low", "high", "rating"),
    [
        ("80%", 0, 100, Rating(80, None)),
        ("Score: 80 %", 0, 100, Rating(80, None)),
        ("It gives happy 80%.", 0, 100, Rating(None, F.AMBIGUOUS)),
        ("8/10", 0, 100, Rating(None, F.OTHER_SCALE)),
        ("4/5", 1, 5, Rating(4, None)),
        ("Score (1-5): 4", 1, 5, Rating(4, None)),
        ("0", 1, 5, Rating(None, F.OUT_OF_RANGE)),
        ("Score: 0.8", 0, 1, Rating(0.8, None)),
        ("I'd give it 0.8.", 0, 1, Rating(0.8, None)),
        ("-2", -3, 3, Rating(-2, None)),
        ("Score (-3 to 3): -2", -3, 3, Rating(-2, None)),
        ("2.25", 0, 2.5, Rating(2.25, None)),
        ("2/2.5", 0, 2.5, Rating(2, None)),
    ],
)
def test_other_scales(text: str, low: float, high: float, rating: Rating) -> None:
    assert parse_rating(text, low, high) == rating


@pytest.mark.parametrize(
    ("low", "high"), [(10, 0), (1, 1), (0, math.inf), (-math.inf, 0), (math.nan, 1), (0, math.nan)]
)
def test_a_scale_goes_upwards(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"A scale goes from a lower to a higher number, not from"):
        parse_rating("8", low, high)


def test_names_are_plain_strings_in_logs() -> None:
    assert json.dumps([F.NO_NUMBER]) == '["no_number"]'
    assert f"{F.OUT_OF_RANGE}" == "out_of_range"


HOSTILE = {
    "digits": "9" * 100_000,
    "digits_within": "Score: " + "9" * 19_000,
    "digits_of_a_range": "0-" + "9" * 19_000,
    "digits_after_of": "8 of " + "9" * 19_000,
    "numbers": "1 " * 9_999 + "2",
    "marked_numbers": "Score: 1 x " * 1_800,
    "ranges": "1-2 " * 5_000,
    "one_range": "1-" * 9_000 + "1",
    "list": "1, " * 6_000 + "1",
    "points": "." * 19_000 + "8x",
    "signs": "-+" * 9_000 + "8",
    "spaces": "Score" + " " * 19_000 + ": 8x",
    "spaces_after": "8" + " " * 19_000 + "x",
    "spaces_of_100000": " " * 100_000 + "8x",
    "lines": "\n" * 19_000 + "8x",
    "stars": "8" + "*" * 19_000 + "x",
    "quotes": '"' * 19_000 + "8x",
    "tags": "<a>" * 6_000 + "8x",
    "brackets": "score (" * 2_500 + "8x",
    "markers": "score " * 3_000 + "x",
    "said": "I'd say " * 2_400 + "x",
    "words": "a" * 19_999,
    "hyphens": "a-" * 9_999,
    "not": "not " * 4_900 + "8/10",
    "reasoning": "<think>" * 100_000 + "</think>" * 2,
    "refusing": "I can not " * 1_900,
    "surrogates": "\ud800\udfff8x",
    "combining": "8" + "\u0301" * 19_000,
    "exponents": "1e" * 9_000 + "1",
    "items": "1." * 9_000 + "\n" * 1000 + "x",
    "scales": "scale of " * 2_000 + "x",
    "nul": "\x00" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_fails(text: str) -> None:
    assert parse_rating(text, 0, 10).failure is not None


# --- properties ----------------------------------------------------------------------------------

few = settings(max_examples=150, deadline=None, database=None, derandomize=True)
PHRASINGS = (
    "{rating}",
    "{rating}.",
    "**{rating}**",
    "{rating}/{high}",
    "{rating} / {high}",
    "{rating} out of {high}",
    "Score: {rating}",
    "Score: {rating}/{high}",
    "**Score:** {rating}",
    "Score ({low}-{high}): {rating}",
    "Rating: {rating} because the tone fits in 3 places.",
    "I'd say {rating} out of {high}.",
    "I would give it a {rating}.",
    "The rating is {rating}.",
    "On a scale from {low} to {high}, I rate this answer a {rating}.",
    '{{"score": {rating}}}',
    '{{"why": "0.3 is too much for happy, 1 is not", "rating": {rating}}}',
    "{rating}\n\nThe tone fits in 3 places.",
    "The tone fits in 3 places.\n{rating}",
    "{rating}, because the tone fits.",
    "<think>Not 4, not 5.</think>\n{rating}",
    r"\boxed{{{rating}}}",
)
scales = st.tuples(st.integers(0, 20), st.integers(1, 200)).map(lambda pair: (pair[0], sum(pair)))


@pytest.mark.parametrize("phrasing", PHRASINGS)
@given(scale=scales, data=st.data())
@few
def test_every_rating_of_the_scale_reads_back(
    phrasing: str, scale: tuple[int, int], data: st.DataObject
) -> None:
    low, high = scale
    rating = data.draw(st.integers(low, high))
    text = phrasing.format(rating=rating, low=low, high=high)
    assert parse_rating(text, low, high) == Rating(rating, None)


@pytest.mark.parametrize("phrasing", PHRASINGS)
@given(scale=scales, data=st.data())
@few
def test_a_rating_off_the_scale_never_gives_a_score(
    phrasing: str, scale: tuple[int, int], data: st.DataObject
) -> None:
    low, high = scale
    rating = data.draw(st.integers(high + 1, high + 1000) | st.integers(-1000, low - 1))
    text = phrasing.format(rating=rating, low=low, high=high)
    assert parse_rating(text, low, high).score is None


@given(scale=scales, tenths=st.integers(0, 2_200))
@few
def test_decimals_read_back(scale: tuple[int, int], tenths: int) -> None:
    low, high = scale
    rating = parse_rating(f"Score: {tenths / 10}", low, high)
    if low <= tenths / 10 <= high:
        assert rating == Rating(tenths / 10, None)
    else:
        assert rating == Rating(None, F.OUT_OF_RANGE)


@given(first=st.integers(0, 10), second=st.integers(0, 10))
@few
def test_two_ratings_count_only_if_they_agree(first: int, second: int) -> None:
    for text in (f"Score: {first}. Score: {second}.", f"Score: {first}\n{second}"):
        rating = parse_rating(text, 0, 10)
        assert rating == (Rating(first, None) if first == second else Rating(None, F.AMBIGUOUS))


SHREDS = (*"0123456789.,:;-+/%()[]{}<>'\"*_#~|$ \n", "score", "Rating: ", "final", "out of",
    "of 10", "/10", "I'd say ", "scale of ", "to", "or", "not", "a ", "８", "½", "\u0336", "\u200b",
    "10", "7.5", "1e999", "-3", "<think>", "</think>", r"\boxed{", "\x00", "\n\n", "As an AI",
    "愤怒")  # fmt: skip
any_text = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=60),
    st.lists(st.sampled_from(SHREDS), max_size=30).map("".join),
    st.lists(st.sampled_from(SHREDS), max_size=30).map(" ".join),
)


@given(text=any_text, low=st.floats(0, 5), width=st.floats(0.5, 100), cut=st.booleans())
@settings(few, max_examples=1500)
def test_any_text_gives_a_rating_on_the_scale_or_a_failure(
    text: str, low: float, width: float, cut: bool
) -> None:
    rating = parse_rating(text, low, low + width, cut=cut)
    assert (rating.score is None) == (rating.failure is not None)
    if rating.score is not None:
        assert low <= rating.score <= low + width


@given(text=any_text)
@few
def test_a_cut_only_takes_away(text: str) -> None:
    whole, cut = parse_rating(text, 0, 10), parse_rating(text, 0, 10, cut=True)
    assert cut == whole or cut.failure is F.TRUNCATED
