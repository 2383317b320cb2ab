"""The embedded world: pictures of known content, questions, answers with planted truth and style, and their grades."""
