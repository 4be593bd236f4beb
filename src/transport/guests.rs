//! How many connections may stand at one time: in all, and from one address. A host with idle sockets
//! must not use up the descriptors that the polls and the backends need.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// The connections that stand.
#[derive(Debug)]
pub struct Guests {
    all: usize,
    each: usize,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection that is counted; no longer when dropped.
#[derive(Debug)]
pub struct Guest {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    /// As many as this number of file descriptors allows: two for each (a client's and its backend's),
    /// some left for the threads and for everything else; one address may have three quarters of them.
    pub fn within(descriptors: u64, threads: usize) -> Arc<Self> {
        let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
        let reserved = RESERVED + threads * OF_A_THREAD;
        let all = (descriptors.saturating_sub(reserved) / 2).clamp(16, MOST);
        Arc::new(Self { all, each: all / 4 * 3, standing: Mutex::default() })
    }

    /// Lets one more in; `None` when there are as many as may be.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let mut standing = self.standing.lock();
        if standing.total >= self.all {
            return None;
        }
        let from_there = standing.by_address.entry(address).or_default();
        if *from_there >= self.each {
            return None;
        }
        *from_there += 1;
        standing.total += 1;
        Some(Guest { guests: Arc::clone(self), address })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut standing = self.guests.standing.lock();
        standing.total -= 1;
        if let Some(count) = standing.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                standing.by_address.remove(&self.address);
            }
        }
    }
}

/// Descriptors for listeners, polls, probes, logs and the admin listener.
const RESERVED: usize = 128;
/// What a thread waits for events with.
const OF_A_THREAD: usize = 4;
/// More connections than this are no home's.
const MOST: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places_and_places_come_back() {
        let guests = Guests::within(128 + 2 * 4 + 2 * 40, 2);
        let [first, second] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let held: Vec<_> = std::iter::from_fn(|| guests.enter(first)).collect();
        assert_eq!(held.len(), 30, "three quarters of forty");
        let others: Vec<_> = std::iter::from_fn(|| guests.enter(second)).collect();
        assert_eq!(others.len(), 10, "the rest");
        drop(held);
        assert!(guests.enter(first).is_some());
        drop(others);
        assert!(guests.standing.lock().by_address.is_empty(), "nothing is remembered of who has gone");
    }
}
