"""The schema of a submission: everything that stands in `submission.json`, field by field.

Version 1. A field that is added later is optional, so that older files stay valid; a change of any
other kind makes a new version, and `read_submission_json` keeps reading the old ones.

Nothing unknown is let in (`extra="forbid"`), every text is of a listed alphabet (`words.py`), every
number is finite and in a range.
"""

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import Field

from ambi_tasks.labels import LabelRule, MultiTick, OutOfSet
from ambi_tasks.leaderboard.words import (
    Checkpoint,
    Identifier,
    Line,
    Link,
    Name,
    Sha256,
    Word,
    folder_name,
)
from ambi_tasks.statistics import Score

SCHEMA_VERSION = 1

MAX_UTTERANCES = 300_000
"""More than the largest corpus of the benchmark has."""

_LARGEST = 2**53  # the largest whole numbers that every JSON reader reads exactly

Count: TypeAlias = Annotated[int, Field(ge=0, le=_LARGEST)]
Number: TypeAlias = Annotated[float, Field(ge=-1e15, le=1e15)]
Setting: TypeAlias = bool | Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)] | Number | Word | None
SettingOrList: TypeAlias = Setting | Annotated[list[Setting], Field(max_length=16)]
Stratum: TypeAlias = Literal["unanimous", "low", "medium", "high"]
Reference: TypeAlias = Literal["uniform", "label_prior", "split_half"]

REFERENCE_ORGANIZATION = "reference"
"""The organization of what is no model; no model's may be called so."""


class Part(pydantic.BaseModel):
    """What all parts share."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class LabelRuleRecord(Part):
    """How votes became soft labels; see `ambi_tasks.labels.LabelRule`."""

    classes: Annotated[list[Identifier], Field(min_length=2, max_length=32)]
    """The classes, in the order of every distribution."""
    merge: Annotated[dict[Identifier, Identifier], Field(max_length=32)]
    """The corpus's word -> class, for words that count as another class."""
    multi_tick: MultiTick
    """What several ticks of one annotator count."""
    out_of_set: OutOfSet
    """What ticks outside the classes count."""
    min_votes: Annotated[int, Field(ge=1, le=1000)]
    """Annotators that an utterance needs."""

    def rule(self) -> LabelRule:
        """The same as the package's own type.

        Raises:
            UserError: Its fields contradict each other.
        """
        values = self.model_dump()
        return LabelRule(**{**values, "classes": tuple(values["classes"])})


class CorpusRecord(Part):
    """What was predicted."""

    name: Identifier
    """The corpus, as `ambi corpora` names it."""
    release: Word | None = None
    """Which release the copy was, where it tells."""
    options: Annotated[dict[Identifier, Word], Field(max_length=16)]
    """What was chosen of the corpus, such as the modality of the votes."""
    label_rule: LabelRuleRecord
    """From votes to soft labels."""
    manifest_sha256: Sha256
    """Hash of utterances, votes and label rule: equal hashes, equal truth."""
    utterances: Annotated[int, Field(ge=1, le=MAX_UTTERANCES)]
    """How many have a soft label, and so a prediction."""
    dropped: Annotated[dict[Identifier, Count], Field(max_length=16)] = {}
    """Utterances without a soft label or sound, by reason."""


class ScoreRecord(Part):
    """A score with its uncertainty; null where there is none to tell."""

    value: Number | None
    """Of the utterances."""
    low: Number | None = None
    """Lower end of the 95 % interval over resampled speakers."""
    high: Number | None = None
    """Upper end."""
    se: Annotated[float, Field(ge=0, le=1e15)] | None = None
    """Standard error."""

    @classmethod
    def of(cls, score: Score) -> "ScoreRecord":
        """From a `statistics.Score`, whose NaN becomes null."""
        parts = (score.value, score.low, score.high, score.se)
        value, low, high, se = (None if part != part else float(part) for part in parts)  # noqa: PLR0124
        return cls(value=value, low=low, high=high, se=se)

    def score(self) -> Score:
        """Back again."""
        nan = float("nan")
        parts = (self.value, self.low, self.high, self.se)
        return Score(*(nan if part is None else part for part in parts))


Scores: TypeAlias = Annotated[dict[Identifier, ScoreRecord], Field(min_length=1, max_length=64)]


class TableRecord(Part):
    """A file beside `submission.json`."""

    sha256: Sha256
    """Of its bytes."""
    rows: Annotated[int, Field(ge=1, le=MAX_UTTERANCES)]
    """Utterances in it."""


class Submitter(Part):
    """Who stands for the entry. Everything here is public."""

    name: Line
    """A person or a group."""
    contact: Line
    """Where questions reach them: an address, a name on GitHub."""
    link: Link | None = None
    """Paper, model card or blog post about the entry."""
    date: datetime.date
    """When it was made."""


class Weights(Part):
    """Which model it was, so that the same can be had again."""

    checkpoint: Checkpoint | None = None
    """Its name on the Hugging Face hub or at its provider; null for files of somebody's own."""
    revision: Word | None = None
    """The checkpoint's commit, or the version that a provider names."""
    sha256: Sha256 | None = None
    """Hash of the files, where they are no checkpoint of the hub."""
    architecture: Word | None = None
    """As transformers names it (`model_type`)."""
    precision: Word | None = None
    """Of the weights, such as bfloat16."""
    adapter: Identifier
    """The model type of lm_eval that ran it, such as alm_hf."""
    adapter_version: Word
    """Version of the package that the adapter is part of."""
    arguments: Annotated[dict[Identifier, Setting], Field(max_length=32)] = {}
    """Of `--model_args`, those that are known to hold no secret and no path."""


class ModelRecord(Weights):
    """What predicted."""

    organization: Name
    """Who made the model."""
    name: Name
    """The model's name, for people."""
    weights: Literal["open", "closed"]
    """Whether anybody can have the weights."""
    parameters: Annotated[int, Field(ge=1, le=10**14)] | None = None
    """How many, all experts and encoders together; null where nobody tells."""
    link: Link | None = None
    """Where the model is described."""
    control: bool = False
    """Whether it is a control that cannot hear the voice, such as a recogniser of speech before a
    model of text."""


class StrategyRecord(Part):
    """How answers became one distribution."""

    name: Identifier
    """The strategy."""
    fields: Annotated[dict[Identifier, SettingOrList], Field(max_length=32)]
    """All that can be set of it."""


class PromptRecord(Part):
    """A prompt."""

    role: Literal["question", "verifier"]
    """Whom it asks for what."""
    id: Identifier
    """Its name, see `ambi prompts`."""
    version: Annotated[int, Field(ge=1, le=10_000)]
    """Of the template."""
    sha256: Sha256
    """Of the template."""


class ParsingRecord(Part):
    """How answers were read, all utterances together."""

    answered: Count
    """Utterances with an answer that could be read; the others count as uniform."""
    draws: Count
    """Answers."""
    parsed: Count
    """Of these, the ones that could be read."""
    failures: Annotated[dict[Identifier, Count], Field(max_length=32)] = {}
    """Why the others could not be, by reason."""
    verdicts: Count = 0
    """Questions that were put to a verifier."""
    verified: Count = 0
    """Of these, the ones whose answer gave a score."""
    verdict_failures: Annotated[dict[Identifier, Count], Field(max_length=32)] = {}
    """Why the others gave none, by reason."""


class ComputeRecord(Part):
    """What it took."""

    hardware: Line | None = None
    """Such as one H100."""
    device: Word | None = None
    """As torch names it."""
    tokens: Count | None = None
    """Generated for this strategy, by the model and its verifier; draws that strategies share
    count for each. Null where the adapter does not know."""
    run_seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """Of the whole run that this strategy was part of."""
    run_tasks: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many strategies and corpora that run had."""


class DoctorRecord(Part):
    """What `ambi doctor` said of the model."""

    verdict: Literal["healthy", "warnings", "fails", "deaf"]
    """In a word; `deaf` is refused."""
    examined: Word
    """When, as ISO 8601."""
    version: Word
    """Of the package that examined it."""
    checks: Annotated[dict[Identifier, Literal["ok", "warning", "fail"]], Field(max_length=64)] = {}
    """Check -> what came of it."""


class TrainingRecord(Part):
    """What the model may have seen of the corpus: the submitter's word, which nobody can check."""

    frozen: Literal[True]
    """Nothing was trained on the votes that are predicted; the board takes no other entries."""
    saw_corpus: Literal["no", "audio", "labels", "unknown"]
    """Whether the model's makers trained it on the corpus's audio or labels."""
    note: Line | None = None
    """What is known of that."""


class CurvePoint(Part):
    """The score of the first n draws, from the same run."""

    metric: Identifier
    """Which."""
    draws: Annotated[int, Field(ge=1, le=100_000)]
    """n."""
    tokens: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """Generated per utterance, on average."""
    score: Number
    """Mean over choices of n draws, and over utterances."""


class _Submission(Part):
    schema_version: Literal[1]
    """Of this schema."""
    corpus: CorpusRecord
    """What was predicted."""
    submitter: Submitter
    """Who stands for it."""
    software: Annotated[dict[Identifier, Word], Field(max_length=32)]
    """Library -> version: ambi_tasks, lm_eval, torch, transformers, python."""
    seeds: Annotated[dict[Identifier, Count], Field(max_length=16)]
    """Where randomness came from: `draws`, `intervals`, `references`."""
    scores: Scores
    """Metric -> what the submitter computed; validation computes it again where it has the
    votes."""
    strata: Annotated[dict[Stratum, Scores], Field(max_length=4)] = {}
    """The same for the utterances of each stratum of ambiguity."""


class ModelSubmission(_Submission):
    """An entry of a model with a strategy on a corpus."""

    kind: Literal["model"]
    """Says which fields there are."""
    model: ModelRecord
    """What predicted."""
    verifier: Weights | None = None
    """The model that judged its answers, where another one did."""
    evaluated: datetime.date
    """The day of the run; an entry of a model behind an interface expires some time after it."""
    strategy: StrategyRecord
    """How answers became one distribution."""
    variant: Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")] | None = None
    """Tells entries of one model, corpus and strategy apart, such as `32-draws`."""
    prompts: Annotated[list[PromptRecord], Field(min_length=1, max_length=4)]
    """What was asked."""
    system_instruction_sha256: Sha256 | None = None
    """Hash of the system turn, where the run had one."""
    decoding: Annotated[dict[Identifier, Setting], Field(max_length=32)]
    """How answers were drawn."""
    parsing: ParsingRecord
    """How answers were read."""
    compute: ComputeRecord
    """What it took."""
    doctor: DoctorRecord | None = None
    """Whether the model hears; null where nobody examined it."""
    training: TrainingRecord
    """What the model may have seen."""
    curve: Annotated[list[CurvePoint], Field(max_length=256)] = []
    """Quality against draws."""
    predictions: TableRecord
    """The table of predictions."""
    answers: TableRecord | None = None
    """The answers behind them, where the corpus's licence lets them be published."""

    @pydantic.field_validator("model")
    @classmethod
    def _no_reference(cls, model: ModelRecord) -> ModelRecord:
        if folder_name(model.organization).casefold() == REFERENCE_ORGANIZATION:
            raise ValueError(f"no model is by '{model.organization}', the word for baselines")
        return model

    @property
    def folder(self) -> str:
        """Where it belongs, under `submissions`."""
        organization, model = folder_name(self.model.organization), folder_name(self.model.name)
        variant = f"--{self.variant}" if self.variant else ""
        return f"{organization}__{model}/{self.corpus.name}/{self.strategy.name}{variant}"


class ReferenceSubmission(_Submission):
    """What hears nothing, or people: a mark beside the models, computed from the votes alone."""

    kind: Literal["reference"]
    """Says which fields there are."""
    reference: Reference
    """`uniform` and `label_prior` are floors, `split_half` is the human ceiling: see
    docs/ceiling.md."""
    repetitions: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Of `split_half`: how many times the annotators were split."""
    predictions: TableRecord | None = None
    """The table of predictions; null for `split_half`, which has none."""

    @property
    def folder(self) -> str:
        """Where it belongs, under `submissions`."""
        return f"{REFERENCE_ORGANIZATION}__{self.reference}/{self.corpus.name}/reference"


Submission: TypeAlias = Annotated[
    ModelSubmission | ReferenceSubmission, Field(discriminator="kind")
]

_ADAPTER: pydantic.TypeAdapter[Submission] = pydantic.TypeAdapter(Submission)


def json_schema() -> Mapping[str, Any]:
    """The JSON Schema of this version."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Submission to the leaderboard, version {SCHEMA_VERSION}",
        **_ADAPTER.json_schema(),
    }


def submission_from_json(content: bytes) -> Submission:
    """Check the content of a `submission.json`.

    Args:
        content: UTF-8 JSON without doubled keys: see `files.strict_json`.

    Raises:
        pydantic.ValidationError: It does not fit the schema.
    """
    return _ADAPTER.validate_json(content)


def submission_to_json(submission: Submission) -> str:
    """The content of a `submission.json`: equal submissions, equal bytes."""
    return submission.model_dump_json(indent=2) + "\n"
