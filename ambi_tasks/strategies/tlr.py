"""`tlr`, token-level read-out: the model's own probabilities of the labels, nothing generated.

That logits tell more than text is the finding of arXiv 2505.18484; the form is ours: all tokens of
a label count, not its first alone. The calibration follows Zhao et al., "Calibrate Before Use"
(ICML 2021), with silence as the input without content.
"""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ambi_tasks.errors import UserError
from ambi_tasks.prediction import ReadOut
from ambi_tasks.strategies.fields import (
    Candidates,
    LengthExponent,
    Positive,
    StrategyFields,
)
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import (
    equal_weights,
    normalised_log_likelihoods,
    softmax_weights,
)


class Fields(StrategyFields):
    """What can be set of `tlr`."""

    calibration: Annotated[
        Literal["none", "silence"],
        Field(description="Divide by the labels' probabilities on a silent clip, or not."),
    ]
    length_normalisation: LengthExponent
    weight_temperature: Annotated[Positive, Field(description="t of the softmax over the labels.")]

    @property
    def mode(self) -> Candidates:
        """Nothing is generated."""
        return "none"

    def distribution_of(self, found: ReadOut) -> tuple[float, ...]:
        """softmax_k((l_k - l0_k) / t), where l0 is what silence gives, 0 without calibration.

        Args:
            found: Log-likelihood and tokens of each label.

        Returns:
            Probabilities in the order of the labels, (K,).

        Raises:
            UserError: A log-likelihood is NaN or infinite, or on silence missing or -inf; or tokens
                are missing where lengths are normalised.
        """
        exponent = self.length_normalisation
        tokens = np.array(found.tokens, dtype=np.float64)  # None becomes NaN
        heard = np.array(found.content_free, dtype=np.float64)
        scores = normalised_log_likelihoods(
            np.array(found.log_likelihoods, dtype=np.float64), tokens, exponent
        )
        if self.calibration == "silence":
            if len(heard) != len(scores) or -math.inf in heard:
                raise UserError(
                    "The calibration needs a finite log-likelihood of each label on silence, but "
                    f"got {list(found.content_free)}; set calibration to none."
                )
            scores = scores - normalised_log_likelihoods(heard, tokens, exponent)
        weights = softmax_weights(scores, self.weight_temperature).tolist()
        total = sum(weights)
        return tuple(weight / total for weight in weights)


strategy("tlr", Fields)(equal_weights)
