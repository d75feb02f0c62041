"""Stage 4: judge speech, write a report, compare reports.

`stage.py` runs it: `items.py` says what is judged, `judge.py` applies the measures (`signal_measures.py`,
`waveform_measures.py`, `text_measures.py`, `quality_networks.py`, `health.py`) to each utterance, and `report.py` holds
the figures, which `markdown.py` and `page.py` show and `comparison.py` compares. `assets/measures.json` defines each.
"""
