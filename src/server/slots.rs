//! Slots for connections: how many there may be, how many of one address, and a few that are kept for health checks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::activity::Activity;

/// Slots kept for health checks, which nothing else holds for longer than [`SPARE_WAIT`].
const SPARES: usize = 16;
/// How long a connection in a spare slot waits for one of the others.
pub(super) const SPARE_WAIT: Duration = Duration::from_secs(5);
/// A connection that has had no request under way for so long gives way to a new one, where there is no other slot.
const GIVES_WAY_AFTER: Duration = Duration::from_millis(500);
/// How long a new connection waits until it is looked for one again.
const PRESS_PAUSE: Duration = Duration::from_millis(50);
/// The part of the slots that one address may have, if nothing is said.
const ADDRESS_PART: usize = 4;

/// The slots of a server.
#[derive(Clone)]
pub(super) struct Slots {
    usual: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    held: Held,
    address_max: AddressMax,
}

/// How many connections one address may have.
#[derive(Clone, Copy, Debug)]
enum AddressMax {
    /// Every address.
    Every(usize),
    /// An address of the Internet: behind a private one may stand a proxy or a bridge, and so many clients.
    Public(usize),
}

/// What holds the slots.
type Held = Arc<Mutex<Holders>>;

#[derive(Default)]
struct Holders {
    /// How many connections each address has.
    of_address: HashMap<IpAddr, usize>,
    /// The connections, each by a number of its own.
    connections: HashMap<u64, Arc<Activity>>,
    next: u64,
}

impl Holders {
    /// Ends the connection that has been idle the longest, if one has been for long enough.
    fn end_idle(&self) {
        let idle = self.connections.values().filter_map(|it| Some((it.idle_time()?, it)));
        if let Some((_, longest)) = idle.filter(|(time, _)| *time >= GIVES_WAY_AFTER).max_by_key(|it| it.0) {
            longest.give_way();
        }
    }
}

impl Slots {
    pub(super) fn new(connections_max: usize, address_max: Option<usize>) -> Self {
        Self {
            usual: Arc::new(Semaphore::new(connections_max)),
            spare: Arc::new(Semaphore::new(SPARES)),
            held: Held::default(),
            address_max: match address_max {
                Some(max) => AddressMax::Every(max),
                None => AddressMax::Public((connections_max / ADDRESS_PART).max(1)),
            },
        }
    }

    /// Waits for a slot.
    pub(super) async fn next(&self) -> Slot {
        loop {
            let permit = tokio::select! {
                biased;
                permit = Arc::clone(&self.usual).acquire_owned() => Permit::Usual(permit.ok()),
                permit = Arc::clone(&self.spare).acquire_owned() => Permit::Spare(permit.ok()),
                () = tokio::time::sleep(PRESS_PAUSE) => {
                    self.make_room();
                    continue;
                }
            };
            return Slot { permit, slots: self.clone() };
        }
    }

    /// Ends the connection that has been idle the longest, if there is one: no one holds a slot by doing nothing while
    /// others wait for it.
    pub(super) fn make_room(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).end_idle();
    }

    /// One more connection of an address; `None` if it has enough.
    pub(super) fn admit(&self, address: IpAddr, activity: &Arc<Activity>) -> Option<Admitted> {
        let address = party(address);
        let max = match self.address_max {
            AddressMax::Every(max) => max,
            AddressMax::Public(_) if is_private(address) => usize::MAX,
            AddressMax::Public(max) => max,
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.of_address.entry(address).or_insert(0);
        if *count >= max {
            return None;
        }
        *count += 1;
        let number = held.next;
        held.next += 1;
        held.connections.insert(number, Arc::clone(activity));
        Some(Admitted { held: Arc::clone(&self.held), address, number })
    }
}

/// A slot that is held.
pub(super) struct Slot {
    permit: Permit,
    slots: Slots,
}

/// Held until it is dropped.
enum Permit {
    Usual(#[expect(dead_code, reason = "held")] Option<OwnedSemaphorePermit>),
    Spare(#[expect(dead_code, reason = "held")] Option<OwnedSemaphorePermit>),
}

impl Slot {
    /// Whether it is one of those kept for health checks.
    pub(super) fn is_spare(&self) -> bool {
        matches!(self.permit, Permit::Spare(_))
    }

    /// Whether it is one of the others, for which a spare one waits a while.
    pub(super) async fn become_usual(&mut self) -> bool {
        if !self.is_spare() {
            return true;
        }
        let mut usual = pin!(Arc::clone(&self.slots.usual).acquire_owned());
        let wait = async {
            loop {
                tokio::select! {
                    biased;
                    permit = &mut usual => return permit.ok(),
                    () = tokio::time::sleep(PRESS_PAUSE) => self.slots.make_room(),
                }
            }
        };
        if let Ok(permit @ Some(_)) = tokio::time::timeout(SPARE_WAIT, wait).await {
            self.permit = Permit::Usual(permit);
        }
        !self.is_spare()
    }
}

/// A connection that counts for its address until this goes.
pub(super) struct Admitted {
    held: Held,
    address: IpAddr,
    number: u64,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.connections.remove(&self.number);
        if let Some(count) = held.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.of_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one: a host has 2^64 addresses of IPv6.
fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        v4 => v4,
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        // The loopback address, as one of its network.
        IpAddr::V6(address) => {
            address.is_unspecified() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn admit(slots: &Slots, text: &str) -> Option<Admitted> {
        slots.admit(address(text), &Activity::new())
    }

    #[test]
    fn one_address_has_a_part() {
        let slots = Slots::new(8, None);
        let held: Vec<_> = (0..2).map(|_| admit(&slots, "203.0.113.7").expect("room")).collect();
        assert!(admit(&slots, "::ffff:203.0.113.7").is_none());
        assert!(admit(&slots, "203.0.113.8").is_some());
        drop(held);
        assert!(admit(&slots, "203.0.113.7").is_some());
        let network: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(|text| admit(&slots, text)).into();
        assert!(admit(&slots, "2001:db8::3").is_none());
        assert!(admit(&slots, "2001:db8:0:1::3").is_some());
        drop(network);
        for private in ["127.0.0.1", "::1", "10.0.0.1", "172.17.0.1", "192.168.1.1", "fd00::1", "fe80::1"] {
            let many: Vec<_> = (0..100).map(|_| admit(&slots, private)).collect();
            assert!(many.iter().all(Option::is_some), "{private}");
        }
        let asked = Slots::new(8, Some(1));
        let _one = admit(&asked, "127.0.0.1");
        assert!(admit(&asked, "127.0.0.1").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn spares_come_last() {
        let slots = Slots::new(1, None);
        let usual = slots.next().await;
        let mut spare = slots.next().await;
        assert!(!usual.is_spare() && spare.is_spare());
        assert!(!spare.become_usual().await);
        drop(usual);
        assert!(spare.become_usual().await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_gives_way() {
        let slots = Slots::new(1, None);
        let activities: Vec<_> = (0..3).map(|_| Activity::new()).collect();
        let _admitted: Vec<_> = activities.iter().map(|it| slots.admit(address("::1"), it)).collect();
        let _request = activities.first().map(Activity::begin);
        let gave_way =
            |index: usize| activities.get(index).is_some_and(|it| it.gives_way().now_or_never().is_some());
        slots.make_room();
        assert!(!(0..3).any(gave_way), "nobody has been idle for long");
        tokio::time::sleep(GIVES_WAY_AFTER / 2).await;
        drop(activities.get(1).map(Activity::begin));
        tokio::time::sleep(GIVES_WAY_AFTER * 2).await;
        slots.make_room();
        assert!(gave_way(2) && !gave_way(1) && !gave_way(0));
    }
}
