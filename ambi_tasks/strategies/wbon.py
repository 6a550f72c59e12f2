"""`wbon`, weighted Best-of-N: the beams, weighted by their log-likelihoods.

After "Decoding Ambiguous Emotions with Test-Time Scaling in Audio-Language Models" (2026):
p = sum_b w_b p_b. That w = softmax(l / temperature) is ours: at temperature 1 it is the model's own
probability of each beam, given that it is one of them.
"""

from typing import Annotated

from pydantic import Field

from ambi_tasks.strategies.evidence import Evidence, Floats
from ambi_tasks.strategies.fields import Positive, RankedFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import log_likelihoods, softmax_weights


class Fields(RankedFields):
    """What can be set of `wbon`."""

    weight_temperature: Annotated[
        Positive, Field(description="t in softmax(l / t): large values near equal weights.")
    ]


@strategy("wbon", Fields)
def likelihood_weights(evidence: Evidence, fields: Fields) -> Floats:
    """w_b = softmax_b(l_b / tokens_b^a / t)."""
    scores = log_likelihoods(evidence, fields.length_normalisation)
    return softmax_weights(scores, fields.weight_temperature)
