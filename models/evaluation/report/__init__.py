"""What stage 4 writes: report.json, report.md and report.html, and comparisons of reports."""
