"""The command line. No mathematics here."""
