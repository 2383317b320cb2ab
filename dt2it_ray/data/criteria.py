"""What the rubric judges an answer by, and in which numbers."""

CRITERIA = ("accuracy", "helpfulness", "completeness", "language_quality", "creativity", "ethics")
"""The six criteria of arXiv 2604.19544, in the order in which weights and scores are kept."""

MIN_SCORE, MAX_SCORE = 0, 10
"""Range of a criterion's score, an integer."""
