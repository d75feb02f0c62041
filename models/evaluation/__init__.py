"""Stage 4: judge speech, write a report, compare reports.

`stage.py` runs it: `items.py` says what is judged, `judge.py` applies the measures (`signal_measures.py`,
`waveform_measures.py`, `listening.py`) to each utterance, `report.py` holds the figures and their tables, which
`page.py` shows and `comparison.py` compares. `assets/measures.json` defines each.
"""
