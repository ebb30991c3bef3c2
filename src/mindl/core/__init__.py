"""What every floor stands on: shapes, reductions, outcomes, errors, seeds, files."""
