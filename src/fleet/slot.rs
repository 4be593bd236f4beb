//! What an exchange holds while a peer works for it; given back when dropped.

use std::sync::Arc;

use super::{Held, LivePeer};

/// An exchange's place at a peer and on its card.
#[derive(Debug)]
pub struct Slot {
    peer: Arc<LivePeer>,
    lease: Option<Held>,
}

impl Slot {
    /// Counts the exchange at the peer.
    pub fn new(peer: Arc<LivePeer>, lease: Option<Held>) -> Self {
        peer.enter();
        Self { peer, lease }
    }

    /// Gives the place on the card back before the rest: the upstream has sent its last byte.
    pub fn end_lease(&mut self) {
        self.lease = None;
    }

    /// The peer.
    pub fn peer(&self) -> &Arc<LivePeer> {
        &self.peer
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.peer.leave();
    }
}
