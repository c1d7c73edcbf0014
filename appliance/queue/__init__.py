"""Who waits, who is offered the call next, and how long it will take. No I/O, no clock, no telephone.

``line.Lines`` holds all waiting lines and all agents of the box, since an agent may serve several lines: it is told who
comes, goes, answers and hangs up, and says whom to ring for whom. ``estimate.Estimate`` learns from those who were
served how long the others will wait. Times are monotonic seconds, given with every call.
"""
