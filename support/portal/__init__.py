"""The retailers' own pages: what they report, and what came of it."""
