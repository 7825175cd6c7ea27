"""What retailers' own systems ask and tell: the till's interface."""
