"""The part of the command line that `kg` owns, and what all commands share (`common`)."""
