"""The lab of mindl: weekly assignments, their checks, and safe grading. The command is ``mindl lab``."""
