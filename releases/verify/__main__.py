"""python -m releases.verify bundle.zip [--key PUBLIC_KEY] [--checkpoint FILE]

Verifies the bundle of a release decision in numbered steps; the first that fails ends it. Needs Python and the packages
`cryptography`, `fido2`, `msgspec` and `rfc8785`; no Django, no database, no network. Exit code 0: verified, 1: not,
2: usage.
"""

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from audit.bundle import BundleError, open_bundle
from audit.checkpoint import NoteError
from releases.verify.steps import steps


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m releases.verify", description="Verify the bundle of a release.")
    parser.add_argument("bundle", type=Path, help="the zip that the decision's page or the API gave")
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust; may be given again")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint of the ledger that you kept")
    options = parser.parse_args(arguments)
    number = 0
    try:
        own = options.checkpoint.read_text(encoding="utf-8") if options.checkpoint else None
        bundle = open_bundle(options.bundle, keys=options.key, checkpoint=own)
        with bundle.archive:
            for number, (what, found) in enumerate(steps(bundle), start=1):
                print(f"{number}. ok   {what}: {found}")
    except BundleError as error:
        print(f"{number + 1}. FAIL {error}")
        print("The bundle is NOT verified.")
        return 1
    except (zipfile.BadZipFile, EOFError, ArithmeticError, RecursionError) as error:
        print(f"{number + 1}. FAIL the archive cannot be read: {error}")
        return 1
    except (OSError, UnicodeDecodeError, NoteError) as error:
        print(f"Cannot begin: {error}", file=sys.stderr)
        return 2
    print("The bundle is verified.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
