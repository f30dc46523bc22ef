"""`python -m avance` is the command `avance`."""

import sys

from avance.cli import main

sys.exit(main())
