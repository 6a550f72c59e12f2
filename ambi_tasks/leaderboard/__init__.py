"""The public leaderboard: submissions that anyone can recompute (docs/leaderboard.md)."""
