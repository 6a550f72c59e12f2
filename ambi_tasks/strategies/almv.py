"""`almv`, ALM verifier: the candidate that a verifier scores best.

After "Decoding Ambiguous Emotions with Test-Time Scaling in Audio-Language Models" (2026): B = 3
candidates, and a verifier that gets the audio and each response, with a prompt that describes the
task and the criteria. That the candidates are sampled draws is ours: they are the first of the pool
that `sc` draws.
"""

from ambi_tasks.strategies.evidence import Evidence, Floats
from ambi_tasks.strategies.fields import VerifiedFields
from ambi_tasks.strategies.registry import strategy
from ambi_tasks.strategies.weights import best_weights, verifier_scores


@strategy("almv", VerifiedFields)
def best_verified(evidence: Evidence, fields: VerifiedFields) -> Floats:
    """All weight on argmax_b s_b; equal scores share it."""
    del fields
    return best_weights(verifier_scores(evidence))
