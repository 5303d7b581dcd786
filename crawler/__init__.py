"""A polite, safe and complete picture crawler: the first step of the avatargan pipeline.

``python -m crawler run SITE.toml OUT`` collects the pictures of one described site into ``OUT``
with a ledger that says where each came from. See ``docs/crawling.md``.
"""
