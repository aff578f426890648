"""Starts ministack, with threads that take turns only where one of them waits.

Every operation of ministack 1.5.33 has a thread of its own, and userInfo looks for its user among those that the others add: where
they take turns in between it finds nobody, and refuses a good token (seen in November 2026: 28 of 1,307 at very short turns).
"""

import sys

from ministack.app import main

sys.setswitchinterval(60)
main()
