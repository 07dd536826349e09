import argparse
import sys
from collections.abc import Sequence

from readiness.up.errors import Stopped, UpError
from readiness.up.supervisor import Supervisor


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bin/up",
        description="Run Readiness on this machine: database, broker, web, worker and beat, until Ctrl-C.",
        epilog="READINESS_DATA_DIR says where the data goes. With DATABASE_URL or CELERY_BROKER_URL set, that server "
        "is used instead of an own one. docs/reference/settings.md lists every variable.",
    )
    parser.add_argument("--port", type=int, help="port of the web server (default: the first free one from 8000 on)")
    parser.add_argument("--demo", action="store_true", help="fill in the demo project and run its application")
    arguments = parser.parse_args(argv)
    try:
        Supervisor(port=arguments.port, demo=arguments.demo).run()
    except UpError as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        return 130
    return 0
