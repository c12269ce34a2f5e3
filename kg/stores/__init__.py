"""Engines that hold the graph: in memory, in process, Neo4j."""
