"""Corpora: one module each, which reads the user's files into utterances with individual votes.

A new corpus is one new module here that holds a `Corpus` named `CORPUS`, and its task files. A
module with a function `corpus_for` instead makes its corpus of the run's `--metadata`.
"""

from ambi_tasks.corpora.corpus import Corpus, Utterance, get_corpus

__all__ = ["Corpus", "Utterance", "get_corpus"]
