"""Which words of a text stand for files that are shown with it, in LLaVA's and LLaMA-Factory's rows."""

import re

MARK = "<image>"
OTHER_MEDIA = re.compile("<(?:video|audio)>")
MEDIA = re.compile("<(?:image|video|audio)>")
