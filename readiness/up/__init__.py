"""`bin/up`: the whole product on one machine, under one supervisor. It makes what settings need, so it knows none."""
