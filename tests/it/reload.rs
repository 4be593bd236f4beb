//! A policy that changes under traffic: how it comes into force, what is refused, and what goes on untouched.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::support::behaviour::{Behaviour, Latch};
use super::support::client::{Client, eventually, post};
use super::support::gateway::{CHAT, Gateway, Setup, chat};
use super::support::meter::{Meter, Work};
use super::support::peer::{Health, Peer};

/// Leads to big, and to small where that cannot be.
const BIG: &str = "qwen3-coder-14b";

/// The last rule is called so from now on.
fn last_rule_is(name: &'static str) -> impl Fn(&mut Setup) {
    move |setup| setup.policy["rules"][4]["name"] = json!(name)
}

fn rule(gateway: &Gateway) -> String {
    gateway.chat("auto", "hi").header("x-sluice-rule").expect("a rule").to_owned()
}

fn wait_generation(gateway: &Gateway, generation: u64) {
    gateway.wait_status("/policy/generation", &json!(generation));
}

#[test]
fn a_file_that_changes_comes_into_force_by_itself() {
    let gateway = Gateway::start();
    assert_eq!(rule(&gateway), "default");
    gateway.write_policy(&gateway.changed_policy(last_rule_is("in-place")));
    wait_generation(&gateway, 2);
    assert_eq!(rule(&gateway), "in-place");
    let beside = gateway.policy_file().with_extension("new");
    std::fs::write(&beside, gateway.changed_policy(last_rule_is("renamed"))).expect("a file");
    std::fs::rename(&beside, gateway.policy_file()).expect("a folder");
    wait_generation(&gateway, 3);
    assert_eq!(rule(&gateway), "renamed");
    std::fs::remove_file(gateway.policy_file()).expect("a file");
    let _ = eventually(Duration::from_millis(700), || false);
    assert_eq!(rule(&gateway), "renamed", "a file that is gone changes nothing");
    gateway.write_policy(&gateway.changed_policy(last_rule_is("back")));
    wait_generation(&gateway, 4);
}

#[test]
fn a_hangup_reloads() {
    let gateway = Gateway::start();
    let reloads = || gateway.count("sluice_policy_reloads_total", &["result=\"ok\""]);
    for count in 1..4 {
        gateway.process.signal("HUP");
        assert!(eventually(Duration::from_secs(5), || reloads() == count), "{}", reloads());
    }
    assert_eq!(gateway.status()["policy"]["generation"], 1, "the same file is no new policy");
    gateway.write_policy(&gateway.changed_policy(last_rule_is("hung-up")));
    gateway.process.signal("HUP");
    wait_generation(&gateway, 2);
    assert_eq!(rule(&gateway), "hung-up");
}

#[test]
fn a_bad_file_is_refused_whole_and_the_last_good_policy_serves_on() {
    let gateway = Gateway::start();
    assert_eq!(gateway.reload_with(last_rule_is("good")), 2);
    let hash = gateway.status()["policy"]["hash"].clone();
    let unknown_route = gateway.changed_policy(|setup| {
        last_rule_is("bad")(setup);
        setup.policy["rules"][1]["route"] = json!("nobody");
        setup.policy["rules"][2]["when"] = json!({"tokens": {"at_least": "many"}});
    });
    for (text, problems) in [(unknown_route.as_str(), 2), ("version: 1\nrules: [", 1), ("", 1)] {
        gateway.write_policy(text);
        let refused = gateway.reload();
        let told = refused.json()["problems"].as_array().expect("problems").clone();
        assert_eq!(refused.status, 422);
        assert!(told.len() >= problems, "every problem is told: {told:?}");
        assert!(told.iter().all(|it| it.as_str().is_some_and(|it| it.contains("policy.yaml"))), "{told:?}");
        assert_eq!(rule(&gateway), "good");
        let status = gateway.status()["policy"].clone();
        assert_eq!((&status["generation"], &status["hash"]), (&json!(2), &hash));
        assert!(status["last_error"].is_string(), "{status}");
        assert_eq!(gateway.metric("sluice_policy_last_reload_successful", &[]), 0.0);
        assert_eq!(gateway.metric("sluice_policy_generation", &[]), 2.0);
    }
    assert!(gateway.metric("sluice_policy_reloads_total", &["result=\"rejected\""]) >= 3.0);
    assert_eq!(gateway.reload_with(last_rule_is("mended")), 3);
    assert_eq!(gateway.status()["policy"]["last_error"], json!(null));
    assert_eq!(gateway.metric("sluice_policy_last_reload_successful", &[]), 1.0);
    assert_eq!(rule(&gateway), "mended");
}

#[test]
fn a_storm_of_reloads_under_load_loses_nothing() {
    const CLIENTS: usize = 12;
    let meter = Meter::default();
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.card("card", &["small"], json!({"max_in_flight": 4, "max_queue": 64}));
    });
    gateway.house.small.measure(&meter, Work::Text);
    gateway.house.small.set_default(Behaviour::chat().delay(Duration::from_millis(5)));
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = gateway.client();
                while !done.load(Ordering::Relaxed) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    client.post(CHAT, &[], chat("auto", "hi").to_string().as_bytes());
                    let response = client.response();
                    assert_eq!(response.status, 200, "{}", response.text());
                    let rule = response.header("x-sluice-rule").expect("a rule");
                    assert!(["default", "even", "odd"].contains(&rule), "{rule}");
                }
            });
        }
        for turn in 0..60_u32 {
            let generation = gateway.reload_with(|setup| {
                last_rule_is(if turn % 2 == 0 { "even" } else { "odd" })(setup);
                setup.policy["gpus"]["card"]["max_in_flight"] = json!(3 + turn % 2);
                setup.policy["prompt"]["tags"]["more"] = json!(format!("#more{turn}"));
            });
            assert_eq!(generation, u64::from(turn) + 2);
        }
        done.store(true, Ordering::Relaxed);
    });
    let asked = asked.into_inner();
    println!("reload storm: 60 reloads under {asked} requests");
    assert_eq!(gateway.house.small.requests().len(), asked, "each was executed once");
    assert!(meter.read().most_text <= 4, "{:?}", meter.read());
    gateway.wait_card("card", 0, 0);
    let counted = || gateway.count("sluice_requests_total", &["status=\"200\""]);
    assert!(eventually(Duration::from_secs(2), || counted() == asked), "{} of {asked}", counted());
}

/// One request runs at `big`, held, and one waits for it.
fn one_runs_and_one_waits(gateway: &Gateway, hold: &Latch) -> [Client; 2] {
    gateway.house.big.push(Behaviour::chat().hold(hold));
    let running = gateway.ask("runs", CHAT, &chat("auto", "refactor"));
    gateway.house.big.wait_requests(1);
    let waiting = gateway.ask("waits", CHAT, &chat("auto", "refactor"));
    gateway.wait_card("card", 1, 1);
    [running, waiting]
}

fn one_slot_for_big(setup: &mut Setup) {
    setup.never_unhealthy();
    setup.card("card", &["big"], json!({"max_in_flight": 1}));
}

#[test]
fn what_waits_is_decided_under_the_new_policy_and_what_was_sent_keeps_the_old() {
    let gateway = Gateway::with(one_slot_for_big);
    let hold = Latch::new();
    let [mut running, mut waiting] = one_runs_and_one_waits(&gateway, &hold);
    gateway.reload_with(|setup| {
        setup.policy["rules"][3] =
            json!({"name": "new-rule", "when": {"prompt_matches": ["refactor"]}, "route": "small"});
        setup.backend("small")["model"] = json!("new-model");
        setup.backend("big")["model"] = json!("another");
        setup.policy["models"]["qwen3-coder-14b"] = json!({"backend": "small"});
    });
    let response = waiting.response();
    let header = |name| response.header(name);
    assert_eq!((response.status, header("x-sluice-backend")), (200, Some("small")));
    assert_eq!(header("x-sluice-rule"), Some("new-rule"));
    assert_eq!(gateway.house.small.requests()[0].json()["model"], "new-model");
    hold.release();
    let response = running.response();
    let header = |name| response.header(name);
    assert_eq!((response.status, header("x-sluice-backend")), (200, Some("big")));
    assert_eq!(header("x-sluice-rule"), Some("heavy-by-pattern"), "it was sent under the old policy");
}

#[test]
fn what_waits_for_a_backend_that_is_gone_goes_elsewhere_and_what_it_runs_comes_to_its_end() {
    let gateway = Gateway::with(one_slot_for_big);
    let hold = Latch::new();
    let [mut running, mut waiting] = one_runs_and_one_waits(&gateway, &hold);
    gateway.reload_with(|setup| {
        for (section, name) in [("backends", "big"), ("models", "big"), ("models", BIG), ("gpus", "card")] {
            setup.policy[section].as_object_mut().expect("a map").remove(name);
        }
        setup.policy["rules"] = json!([{"name": "all", "route": "small"}]);
    });
    assert_eq!(waiting.response().header("x-sluice-backend"), Some("small"));
    hold.release();
    let response = running.response();
    assert_eq!((response.status, response.header("x-sluice-backend")), (200, Some("big")));
    assert_eq!(gateway.status()["backends"]["big"], json!(null));
    assert_eq!(gateway.chat(BIG, "hi").code().as_deref(), Some("model_not_found"));
}

#[test]
fn gates_health_and_leases_of_what_did_not_change_go_on() {
    let second = Peer::start();
    second.set_health(Health::Down);
    let gateway = Gateway::with(|setup| {
        setup.never_unhealthy();
        setup.add_backend("second", &second);
        setup.card("card", &["small"], json!({"max_in_flight": 2}));
    });
    gateway.wait_backend("second", false);
    assert_eq!(gateway.push(&json!({"mode": "GAMING"})).status, 200);
    let hold = Latch::new();
    gateway.house.small.push(Behaviour::chat().hold(&hold));
    let mut running = gateway.ask("runs", CHAT, &chat("small", "hi"));
    gateway.house.small.wait_requests(1);
    let before = gateway.status();
    let probes = || [&gateway.house.small, &gateway.house.big, &second].map(Peer::probes);
    let probed = probes();
    for name in ["first", "other", "third"] {
        gateway.reload_with(last_rule_is(name));
    }
    let after = gateway.status();
    for section in ["gates", "gpus", "backends"] {
        assert_eq!(after[section], before[section], "{section}");
    }
    assert_eq!(after["gates"]["gaming_pc"]["state"], "closed", "pushed, and the polls say NORMAL");
    assert_eq!(after["gpus"]["card"]["in_flight"], 1);
    assert_eq!(probes(), probed, "nobody is asked anew");
    hold.release();
    assert_eq!(running.response().status, 200);
    gateway.wait_card("card", 0, 0);
}

#[test]
fn what_changed_is_looked_at_before_the_answer() {
    let gateway = Gateway::start();
    let down = Peer::start();
    down.refuse();
    gateway.reload_with(|setup| setup.backend("small")["peers"] = json!([down.addr().to_string()]));
    assert_eq!(gateway.status()["backends"]["small"]["available"], false, "its first probe is over");
    let response = gateway.chat("small", "hi");
    assert_eq!((response.status, response.code().as_deref()), (503, Some("no_backend_available")));
}

#[test]
fn reloads_come_one_after_another() {
    let gateway = Gateway::start();
    gateway.write_policy(&gateway.changed_policy(last_rule_is("once")));
    let began = Instant::now();
    let generations: Vec<_> = thread::scope(|scope| {
        let ask = || post(gateway.admin, "/reload", &[], &json!({})).json()["generation"].clone();
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|it| it.join().expect("an answer")).collect()
    });
    assert_eq!(generations, vec![json!(2); 8], "one file, one policy");
    assert!(began.elapsed() < Duration::from_secs(5));
}
