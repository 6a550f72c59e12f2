"""What becomes of a run: its log read back, scored again, and drawn as curves."""
