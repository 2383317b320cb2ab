"""What the rubric judges an answer by."""

CRITERIA = ("accuracy", "helpfulness", "completeness", "language_quality", "creativity", "ethics")
"""The six criteria of arXiv 2604.19544, in the order in which weights and scores are kept."""
