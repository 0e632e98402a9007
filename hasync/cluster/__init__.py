"""The ZooKeeper side: session, election, epoch, positions, configs, members."""
