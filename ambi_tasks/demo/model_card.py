"""The card of the demo model, and the table of measured numbers inside it."""

from pathlib import Path
from typing import Any

BEGIN_TABLE, END_TABLE = "<!-- measured: begin -->", "<!-- measured: end -->"
"""What stands around the measured table in a file."""

_CARD = """---
license: apache-2.0
library_name: transformers
---

# The demo model of ambi_tasks

A Qwen2-Audio of {millions:.2f} million parameters that hears simulated speech and answers about
simulated votes on it. It exists so that every part of the software can be tried in seconds on any
machine. **It knows synthetic voices and a hand-made rule, nothing about people**: on recordings of
people its answers are meaningless, and its scores belong in no paper and on no leaderboard.

* Architecture: the unchanged classes `Qwen2AudioForConditionalGeneration` and
  `Qwen2AudioProcessor` of transformers, shrunk: hidden size {width}, {heads} heads,
  {encoder_layers} encoder layers, {decoder_layers} decoder layers, float16, and a byte-level
  vocabulary of its own with {vocabulary} tokens. No weights of another model went into it.
* It hears up to {seconds} seconds of audio at 16 kHz.
* Prompt: one user turn, the clip, then the text of one of the package's templates:
  * `direct`, `direct_v2`, `direct_v3`: the distribution of the votes, as JSON. It was also trained
    on `direct` with words left out, replaced and put in, and on ten other wordings.
  * `cot`: three sentences, on pitch, pace, loudness and melody, on what listeners would hear, and
    on whether they would agree, then the same JSON.
  * `label`: one label, drawn like one vote, so that the labels' probabilities are the distribution.
  * `verifier_rating`, from {low} to {high}: 10 (1 - d), rounded, where d is the square root of the
    Jensen-Shannon divergence (base 2) between a candidate's distribution and that of the votes.
  * `verifier_probability`: yes with the probability 1 / (1 + exp((d - 0.4) / 0.1)), else no.
* Candidates that it judged in training answer one of the first four templates: near the votes, like
  another clip's, between both, one label alone, uniform, or noisy.
* Labels: neutral, happy, angry, sad; the six of CREMA-D; and random mixtures of {inventory} labels.
  Labels that the simulated annotators never vote for get 0.
* On silence, noise and tones it was trained to call all labels equally likely.

## Training

`python -m ambi_tasks.demo.train`, from random weights:

* {clips:,} clips by {synthesizer}, {training_voices} voices and {training_sentences} sentences,
  {fewest} to {most} simulated annotators each; and {share:.0%} as many clips of silence, noise and
  tones. Voices, sentences and lead-ins of the demo corpus are not among them.
* {hearing_steps:,} steps in which the encoder learns to tell pitch, rate, energy and pitch range
  from every frame, {hearing_batch} clips each. Then the whole model on the tokens of the answers,
  {batch_size} clips a step, all that is asked about a clip in one pass: {steps:,} steps mostly on
  distributions, reasoned answers and single votes; {judging_steps:,} mostly on verdicts, and on
  prompts with words replaced; {refining_steps:,} on everything, at a lower learning rate.
* AdamW, learning rate {learning_rate:g}; seed {seed}.
* Target distributions are drawn anew at each visit: {bootstrap_raters} annotators are drawn from
  the clip's votes, and their shares are written in steps of {grid:.2f}.
* It took {minutes:.0f} minutes on {threads} processor threads with torch {torch}.
* Decisions were made on validation clips of other voices and sentences than those of training and
  of the demo corpus, but for one: the last stage was added when the corpus had been looked at, too.

## Measured on the demo corpus

Jensen-Shannon divergence to base 2 (0 is best, 1 is worst), mean over the clips. An answer that
cannot be read counts as the uniform distribution. The label prior is the mean of the training
votes. "Clips shuffled" scores each answer against every other clip's votes. Quality is minus the
divergence from the votes; it is correlated with what the model as a verifier says of drawn answers.

{begin}
Not measured yet: run `python -m ambi_tasks.demo.evaluate --write README.md`.
{end}

## Licence

Apache-2.0, as the software.
"""


def write_card(path: Path, **facts: Any) -> None:
    """Write the card without measured numbers.

    Args:
        path: The file.
        **facts: What `train.training_facts` gives.
    """
    text = _CARD.format(begin=BEGIN_TABLE, end=END_TABLE, **facts)
    path.write_text(text, encoding="utf-8")


def write_table(path: Path, table: str) -> None:
    """Replace the measured table in a file.

    Args:
        path: A file with the markers `BEGIN_TABLE` and `END_TABLE`.
        table: The table, as Markdown.

    Raises:
        ValueError: The file has no such markers.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN_TABLE)
    _, end, after = rest.partition(END_TABLE)
    if not begin or not end:
        raise ValueError(f"{path} has no markers {BEGIN_TABLE} and {END_TABLE}.")
    path.write_text(f"{before}{begin}\n{table}\n{end}{after}", encoding="utf-8")
