"""The managers' figures, one noun a module: each gives what a page shows and what an export takes away."""
