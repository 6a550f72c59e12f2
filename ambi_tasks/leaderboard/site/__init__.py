"""The public pages of the leaderboard: static, from a board's folder alone."""
