"""The board in the formats of others: one module each, from entries alone."""
