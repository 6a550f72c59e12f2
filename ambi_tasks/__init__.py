"""ambi_tasks: the benchmark of ambiguous speech emotion, as a plug-in of lm-eval.

This module stays empty of imports: the start-up hook (`ambi_tasks.plugin`) is imported by every
interpreter of an environment that has the package, and must cost next to nothing.
"""

__version__ = "0.1.0"
