"""What the programmes' interfaces for machines have in common: keys, errors, repeated requests, limits."""
