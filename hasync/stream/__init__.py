"""From row changes to Redis commands, in batches; pure but for the pipeline."""
