"""Judges that are chat models: what they are told, and how their replies come back."""
