# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent's desk phone: registers at the box, answers what comes, speaks, and hangs up after a while.

Ends on end of file of standard input.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time

from _stack import CallState, Ear, Voice, VoIPPhone, hang_up_quietly, say


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--box", required=True, help="address:port of the box")
    parser.add_argument("--mine", required=True, help="address:port of the phone")
    parser.add_argument("--user", required=True)
    parser.add_argument("--voice", required=True, help="a headerless mu-law file")
    parser.add_argument("--talk", type=float, default=6.0, help="seconds until the agent hangs up")
    parser.add_argument("--rtp", type=int, required=True, help="first of 20 UDP ports")
    chosen = parser.parse_args()
    box, box_port = chosen.box.rsplit(":", 1)
    mine, my_port = chosen.mine.rsplit(":", 1)

    def answered(call: object) -> None:
        say("ringing")
        call.answer()
        say("answered")
        mouth, ear = Voice(call, chosen.voice), Ear(call)
        mouth.start()
        ear.start()
        until = time.monotonic() + chosen.talk
        while call.state == CallState.ANSWERED and time.monotonic() < until:
            time.sleep(0.02)
        mouth.is_on = False
        hang_up_quietly(call)
        say("ended", heard_seconds=round(ear.heard_seconds, 2))

    phone = VoIPPhone(
        box,
        int(box_port),
        chosen.user,
        os.environ["PLAYER_PASSWORD"],
        callCallback=answered,
        myIP=mine,
        sipPort=int(my_port),
        rtpPortLow=chosen.rtp,
        rtpPortHigh=chosen.rtp + 20,
    )
    phone.start()
    say("registered", user=chosen.user)
    reader = threading.Thread(target=sys.stdin.read, daemon=True)
    reader.start()
    reader.join()
    os._exit(0)  # pyVoIP leaves threads behind that never end


if __name__ == "__main__":
    main()
