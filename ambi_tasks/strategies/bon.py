"""`bon`, Best-of-N: the beam with the largest log-likelihood.

After "Decoding Ambiguous Emotions with Test-Time Scaling in Audio-Language Models" (2026): beam
search with B = 5 beams, and the candidate of the maximum log-likelihood. The length normalisation
is an option of ours, off by default.
"""

from ambi_tasks.strategies.evidence import Evidence, Floats
from ambi_tasks.strategies.fields import RankedFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import best_weights, log_likelihoods


@strategy("bon", RankedFields)
def most_likely(evidence: Evidence, fields: RankedFields) -> Floats:
    """All weight on argmax_b l_b; equally likely ones share it."""
    return best_weights(log_likelihoods(evidence, fields.length_normalisation))
