"""Performance, as ratios in one run with the floor or the ideal beside them: `make bench`."""
