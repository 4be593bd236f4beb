//! What an exchange holds while a peer works for it; given back when dropped.

use std::sync::Arc;

use super::{GatePass, LiveGpu, LivePeer};

/// An exchange's place at a peer, on its card and behind its gate.
#[derive(Debug)]
pub struct Slot {
    peer: Arc<LivePeer>,
    gpu: Option<Arc<LiveGpu>>,
    _pass: Option<GatePass>,
}

impl Slot {
    /// Counts the exchange at the peer and, where it works on the card, there.
    pub fn new(peer: Arc<LivePeer>, gpu: Option<Arc<LiveGpu>>, pass: Option<GatePass>) -> Self {
        peer.enter();
        if let Some(gpu) = &gpu {
            gpu.enter();
        }
        Self { peer, gpu, _pass: pass }
    }

    /// The peer.
    pub fn peer(&self) -> &Arc<LivePeer> {
        &self.peer
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.peer.leave();
        if let Some(gpu) = &self.gpu {
            gpu.leave();
        }
    }
}
