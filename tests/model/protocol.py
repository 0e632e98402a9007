"""The rules that can be taken out one by one, to see that the checker notices."""

from typing import NamedTuple


class Protocol(NamedTuple):
    """The protocol as it is; each field set to False is a planted bug."""

    judges_epoch: bool = True
    """A leader that reads the state looks at its epoch: the fence."""
    judges_sequence: bool = True
    """A leader that reads the state looks at how far it is: sequence and place."""
    watches: bool = True
    """A batch is sent on a connection that watches the state: it fails when anybody else wrote it."""
    watches_for_claim: bool = True
    """A claim does so, too."""
    watches_before_reading: bool = True
    """WATCH is sent before GET, so that no write falls between them."""
    reads_before_retry: bool = True
    """After an unknown outcome the state is read before the batch is sent again."""
    applies_before_ack: bool = True
    """ZooKeeper is told of a position after Redis has confirmed it."""
    state_key_wins: bool = True
    """A new term resumes at Redis' state, not at ZooKeeper's copy."""
    epoch_above_both: bool = True
    """The new epoch is above ZooKeeper's counter and above the epoch in Redis."""
    saves_under_lock: bool = True
    """The position is saved in one transaction with a check of the lock node and the version."""
    claim_looks_again: bool = True
    """A claim looks at the state that it watches, not at the one it peeked."""
    begins_at_claimed: bool = True
    """Reading begins at the state that was claimed, which may be further than the one peeked."""
    anchors_claim: bool = True
    """The claim of a new stream says where reading begins."""
    judges_before_restore: bool = True
    """After a refusal the state read behind EXEC is judged before the batch's begin is written back."""
    keeps_redo_from: bool = True
    """A batch with commands that may be refused says in the state where it began."""
