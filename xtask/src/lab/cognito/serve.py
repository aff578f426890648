"""Starts ministack with long turns for its threads.

ministack 1.5.33 runs every operation in a thread, and userInfo reads the users while other threads add some.
If the threads change in between, it finds no user and refuses a valid token (November 2026: 28 of 1,307 with very short turns).
"""

import sys

from ministack.app import main

sys.setswitchinterval(60)
main()
