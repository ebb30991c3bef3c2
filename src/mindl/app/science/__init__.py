"""The verb ``bench science``: how near networks come to the models they solve, and when they pay."""
