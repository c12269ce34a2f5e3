"""What a fact is, where it lives, how a snapshot leaves: the knowledge graph of clew."""
