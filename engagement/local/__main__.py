"""`python -m engagement.local`: see `supervisor`."""

import sys

from engagement.local.supervisor import main

sys.exit(main())
