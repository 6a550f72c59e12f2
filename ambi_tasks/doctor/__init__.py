"""The doctor: does a model hear, and does its adapter keep what it promises? See docs/doctor.md.

`record.py` is what an examination leaves behind; `examination.py` makes one.
"""
