"""The verb ``bench speed``: what an answer costs, beside other libraries."""
