"""Measures of synthetic speech, one subject a file; `definitions.py` says what each reported figure means."""
