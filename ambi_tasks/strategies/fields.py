"""What can be set of a strategy: the fields of its task file, checked.

The values are data, in `tasks/strategy_<name>.yaml`; here are their types and ranges. A field of a
strategy is set from the command line by its name, `--metadata '{"draws": 8}'`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from ambi_tasks.errors import UserError, nearest
from ambi_tasks.prediction import ReadOut

Candidates = Literal["greedy", "sample", "beam", "none"]
Count = Annotated[int, Field(strict=True, ge=1)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
LengthExponent = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=1,
        description="a in l / tokens^a: 0 compares sums, 1 means per token.",
    ),
]
Bound = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class StrategyFields(pydantic.BaseModel):
    """What every strategy has; as it stands, one greedy answer."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    needs_log_likelihood: ClassVar[bool] = False
    """Whether candidates are of no use without their log-likelihood."""

    prompt: Annotated[str, Field(description="The template of the question.")]
    label_order: Annotated[
        str,
        Field(
            pattern=r"^(given|reversed|shuffled:-?[0-9]{1,9})$",
            description="Order of the labels in the prompt: given, reversed, or shuffled:SEED.",
        ),
    ]
    concentration: Annotated[
        Positive, Field(description="c of the Dirichlet mixture; it sets the spread alone.")
    ]

    @property
    def mode(self) -> Candidates:
        """How candidates are made."""
        return "greedy"

    @property
    def pool(self) -> int:
        """How many candidates there are."""
        return 1

    def contribution(self, distribution: tuple[float, ...]) -> tuple[float, ...]:
        """What a candidate puts into the mixture: its distribution, (K,), unless overridden."""
        return distribution

    def distribution_of(self, found: ReadOut) -> tuple[float, ...]:
        """What a read-out of the labels' probabilities says, (K,); of mode `none` alone."""
        raise NotImplementedError(f"{type(self).__name__} draws answers: {found} is none.")


class PooledFields(StrategyFields):
    """A strategy that combines several candidates."""

    candidates: Annotated[
        Literal["sample", "beam"],
        Field(description="Sampled draws, or the beams of one beam search."),
    ]
    draws: Annotated[Count, Field(description="Number of sampled draws.")]
    beams: Annotated[Count, Field(description="Beam width; all beams are candidates.")]
    temperature: Annotated[Positive, Field(description="Temperature of the sampled draws.")]

    @property
    def mode(self) -> Candidates:
        """How candidates are made."""
        return self.candidates

    @property
    def pool(self) -> int:
        """How many candidates there are."""
        return self.beams if self.candidates == "beam" else self.draws


class RankedFields(PooledFields):
    """A strategy that goes by the candidates' log-likelihoods."""

    needs_log_likelihood: ClassVar[bool] = True

    length_normalisation: LengthExponent


class VerifiedFields(PooledFields):
    """A strategy that lets a verifier score the candidates."""

    score: Annotated[
        Literal["rating", "probability"],
        Field(description="A number that the verifier writes, or its probability of yes."),
    ]
    verifier_prompt: Annotated[
        str | None,
        Field(
            description="The verifier's template; null for verifier_rating or "
            "verifier_probability, as score says."
        ),
    ]
    verifier_tokens: Annotated[Count, Field(description="Longest answer of the verifier.")]
    scale: Annotated[
        tuple[Bound, Bound] | None,
        Field(description="Lowest and highest rating; null for the template's own."),
    ]

    @pydantic.field_validator("scale")
    @classmethod
    def _check_scale(cls, scale: tuple[float, float] | None) -> tuple[float, float] | None:
        if scale is not None and not scale[0] < scale[1]:
            raise ValueError("the scale must be two numbers, 0 <= low < high")
        return scale


def check_fields(
    kind: type[StrategyFields], strategy: str, values: Mapping[str, Any]
) -> StrategyFields:
    """Check the fields of a strategy.

    Args:
        kind: The strategy's fields.
        strategy: Its name.
        values: What is set.

    Raises:
        UserError: A field is unknown, missing, or out of its range.
    """
    for name in values:
        if name not in kind.model_fields:
            raise UserError(
                f"The strategy '{strategy}' has no field '{name}'; "
                f"{nearest(str(name), kind.model_fields)}"
            )
    try:
        return kind(**values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        meaning = kind.model_fields[name].description or ""
        if name not in values:
            raise UserError(
                f"The strategy '{strategy}' needs the field '{name}'. ({meaning})"
            ) from error
        wrong = first["msg"].removeprefix("Value error, ")
        raise UserError(
            f"The strategy '{strategy}': {name} is {values[name]!r}, but "
            f"{wrong[0].lower()}{wrong[1:]}. ({meaning})"
        ) from error
