"""The customers' own pages: their accounts, and what they write to support."""
