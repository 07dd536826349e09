#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "readiness.settings")
    if sys.argv[1:2] == ["up"]:
        # It makes what settings need (keys, database, broker), so it runs before them.
        from readiness.up.command import main

        sys.exit(main(sys.argv[2:]))
    if not os.environ.get("READINESS_DEBUG"):
        # Beside `bin/up`, a command works on the same database with the same keys.
        from readiness.up.folder import adopt, data_dir

        adopt(data_dir())
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
