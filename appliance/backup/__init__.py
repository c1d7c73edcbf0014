"""The whole box in one file that only the owner's key opens, and the way back from it.

A backup is a tar file inside the age format: any age program and tar take it apart without us. The box can make it and
cannot open it: it holds public keys only. It is never written in clear and never to nobody. Recordings are not in it:
they are files of their own, and their heads never lie in a backup.
"""
