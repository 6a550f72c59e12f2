"""`walmv`, weighted ALM verifier: the candidates, weighted by a verifier's scores.

After "Decoding Ambiguous Emotions with Test-Time Scaling in Audio-Language Models" (2026); that
w_b = s_b / sum s is ours.
"""

import numpy as np

from ambi_tasks.strategies.evidence import Evidence, Floats
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import verifier_scores


@strategy("walmv", VerifiedFields)
def score_weights(evidence: Evidence, fields: VerifiedFields) -> Floats:
    """w_b = s_b / sum s; equal weights where all scores are 0."""
    del fields
    scores = verifier_scores(evidence)
    return np.where((scores > 0).any(axis=-1, keepdims=True), scores, 1.0)
