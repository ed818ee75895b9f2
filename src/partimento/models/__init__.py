"""Models, one a file: a file added here is found by its name."""
