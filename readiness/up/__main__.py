import sys

from readiness.up.command import main

sys.exit(main(sys.argv[1:]))
