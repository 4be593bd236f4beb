//! What goes wrong, at random: peers that die, hang, stall and lie, a gate that flips, a policy that reloads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::dice::Dice;
use super::support::behaviour::Behaviour;
use super::support::client::eventually;
use super::support::gateway::Gateway;
use super::support::mode::Fault;
use super::support::peer::{Health, Peer};

/// How often each thing was done.
pub type Faults = BTreeMap<&'static str, usize>;

/// Does one thing after another until it is told to stop; then puts everything right.
pub fn rage(gateway: &Gateway, second: &Peer, dice: &mut Dice, done: &AtomicBool) -> Faults {
    let house = &gateway.house;
    let peers = [&house.small, &house.big, &house.tts, second];
    let mut faults = Faults::new();
    usual(&peers);
    while !done.load(Ordering::Relaxed) {
        pause(10 + dice.below(60));
        let peer = dice.one(&peers);
        let what = match dice.below(14) {
            0 => kill(peer, dice),
            1 => {
                peer.drop_connections();
                "connections dropped"
            }
            2..7 => misbehave(peer, dice),
            7 => {
                peer.set_health(dice.one(&[Health::Down, Health::Hang, Health::Missing]));
                pause(150 + dice.below(200));
                peer.set_health(Health::Up);
                "probe failed"
            }
            8 => stumble(gateway, dice),
            9 => bad_reload(gateway),
            10 => reload(gateway, dice),
            _ => flip(gateway, dice),
        };
        *faults.entry(what).or_default() += 1;
    }
    usual(&peers);
    gateway.house.mode.set_fault(None);
    gateway.house.mode.set("NORMAL");
    assert_eq!(gateway.push(&json!({"mode": "NORMAL"})).status, 200);
    gateway.wait_gate("open");
    ["small", "big", "tts"].into_iter().for_each(|name| gateway.wait_backend(name, true));
    faults
}

/// Slow enough that things happen meanwhile.
fn usual(peers: &[&Peer]) {
    for peer in peers {
        peer.accept();
        peer.set_health(Health::Up);
        peer.set_default(Behaviour::chat().delay(Duration::from_millis(15)));
    }
}

fn kill(peer: &Peer, dice: &mut Dice) -> &'static str {
    peer.refuse();
    pause(50 + dice.below(400));
    peer.accept();
    "killed"
}

/// The next few requests fare badly there.
fn misbehave(peer: &Peer, dice: &mut Dice) -> &'static str {
    let events: Vec<_> = (0..20).map(|number| format!("data: {{\"n\":{number}}}")).collect();
    let stream = || Behaviour::events(&events).pace(Duration::from_millis(25));
    let (what, behaviour) = match dice.below(10) {
        0 => ("hang", Behaviour::hang()),
        1 => ("hang behind the head", Behaviour::chat().chunked().delay_body(Duration::from_secs(60))),
        2 => ("close", Behaviour::close()),
        3 => ("reset", Behaviour::reset()),
        4 => ("status 503", Behaviour::status(503)),
        5 => ("status 500", Behaviour::status(500)),
        6 => ("cut in mid stream", stream().cut(150)),
        7 => ("reset in mid stream", stream().cut_with_reset(150)),
        8 => ("stall in mid stream", Behaviour::events(&events).pace(Duration::from_secs(60))),
        _ => ("long stream", stream()),
    };
    for _ in 0..=dice.below(8) {
        peer.push(behaviour.clone());
    }
    what
}

fn stumble(gateway: &Gateway, dice: &mut Dice) -> &'static str {
    let mode = &gateway.house.mode;
    mode.set_fault(Some(dice.one(&[Fault::Garbage, Fault::Status500, Fault::Hang, Fault::Empty])));
    pause(dice.below(300));
    mode.set_fault(None);
    "mode endpoint stumbled"
}

fn flip(gateway: &Gateway, dice: &mut Dice) -> &'static str {
    let word = dice.one(&["GAMING", "NORMAL"]);
    gateway.house.mode.set(word);
    if dice.once_in(2) {
        assert_eq!(gateway.push(&json!({"mode": word})).status, 200);
        return "mode pushed";
    }
    "mode polled"
}

/// Limits that change, under a rule with another name.
fn reload(gateway: &Gateway, dice: &mut Dice) -> &'static str {
    let (one, two) = (1 + dice.below(3), 4 + dice.below(4));
    gateway.reload_with(|setup| {
        setup.policy["gpus"]["one"]["max_in_flight"] = json!(one);
        setup.policy["gpus"]["two"]["max_in_flight"] = json!(two);
        setup.policy["rules"][4]["name"] = json!(format!("default-{two}"));
    });
    "reload"
}

fn bad_reload(gateway: &Gateway) -> &'static str {
    gateway.write_policy("version: 1\nrules: nonsense\n");
    assert_eq!(gateway.reload().status, 422);
    "reload refused"
}

fn pause(milliseconds: u64) {
    let _ = eventually(Duration::from_millis(milliseconds), || false);
}
