"""Views: one kind of evidence each, as a sparse or factored operator from a history product to a candidate."""
