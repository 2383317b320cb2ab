"""How text-to-image preferences of every released shape become choices: a caption, its images, and their scores."""
