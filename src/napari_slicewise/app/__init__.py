"""Controllers without Qt: what the panel and other front ends drive."""
