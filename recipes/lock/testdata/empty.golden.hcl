# Written by pj; keep it in git.
version = 1
