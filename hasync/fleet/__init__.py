"""All instances together: what they do, read from ZooKeeper and from each other, and what operators may ask of them.

The command line and the status page show and do the same because both do it through here.
"""
