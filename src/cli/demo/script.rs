//! What `sluice demo` prints first: where everything is, and what to paste into another terminal.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use super::mode::ModeEndpoint;

/// What the proxy asks of every body.
const JSON: &str = "-H 'content-type: application/json'";

/// One thing to try.
struct Try {
    what: &'static str,
    command: String,
}

/// Three lines of `name    URL` for machines, then commands for people.
pub fn banner(proxy: SocketAddr, admin: SocketAddr, mode: &ModeEndpoint) -> String {
    banner_of(proxy, admin, mode.addr(), &mode.mode_file())
}

fn banner_of(proxy: SocketAddr, admin: SocketAddr, mode: SocketAddr, mode_file: &Path) -> String {
    let mut banner = format!("proxy    http://{proxy}\nadmin    http://{admin}\nmode     http://{mode}\n");
    banner.push_str("\nEverything behind the proxy is simulated. Paste into another terminal:\n");
    for Try { what, command } in tries(proxy, mode, mode_file) {
        // writing into a String cannot fail
        let _ = write!(banner, "\n  # {what}\n  {command}\n");
    }
    banner.push_str("\nEach decision is shown below when it happens. Ctrl-C ends it all.\n");
    banner
}

fn tries(proxy: SocketAddr, mode: SocketAddr, mode_file: &Path) -> Vec<Try> {
    vec![
        Try { what: "a light question: small", command: chat(proxy, "-si", "What is a sluice?") },
        Try { what: "a heavy one: big", command: chat(proxy, "-si", "Please refactor this loop.") },
        Try { what: "somebody plays: the gate closes", command: flip(mode, "GAMING") },
        Try {
            what: "heavy again: small, the card is taken",
            command: chat(proxy, "-si", "Please refactor this loop."),
        },
        Try {
            what: "forced by a tag: big all the same",
            command: chat(proxy, "-si", "What is a sluice? #force_big"),
        },
        Try {
            what: "forced by a header, streamed",
            command: stream(proxy, "-sN -H 'X-Force-Big: true'", "What is a sluice?"),
        },
        Try { what: "its model sleeps too, in a second", command: sleep(mode) },
        Try {
            what: "forced while it sleeps: small, since big would die of it",
            command: chat(proxy, "-si", "What is a sluice? #force_big"),
        },
        Try { what: "nobody plays, and the model wakes", command: flip(mode, "NORMAL") },
        Try {
            what: "the mode is in a file, as on the real PC; another word is no mode, and the gate is unknown",
            command: format!("echo GAMING > {}", mode_file.display()),
        },
        Try {
            what: "the models, and which can be used",
            command: format!("curl -s http://{proxy}/v1/models; echo"),
        },
        Try { what: "speech: a tone a word", command: speech(proxy, "Good evening") },
    ]
}

fn chat(proxy: SocketAddr, options: &str, said: &str) -> String {
    let body = format!(r#"{{"messages":[{{"role":"user","content":"{said}"}}]}}"#);
    format!("curl {options} http://{proxy}/v1/chat/completions {JSON} -d '{body}'; echo")
}

fn stream(proxy: SocketAddr, options: &str, said: &str) -> String {
    let body = format!(r#"{{"stream":true,"messages":[{{"role":"user","content":"{said}"}}]}}"#);
    format!("curl {options} http://{proxy}/v1/chat/completions {JSON} -d '{body}'; echo")
}

fn speech(proxy: SocketAddr, said: &str) -> String {
    let body = format!(r#"{{"model":"tts-1","voice":"default","input":"{said}"}}"#);
    format!("curl -s http://{proxy}/v1/audio/speech {JSON} -d '{body}' -o out.wav")
}

fn flip(mode: SocketAddr, to: &str) -> String {
    format!(r#"curl -s -X PUT http://{mode}/ -d '{{"mode":"{to}"}}'; echo"#)
}

fn sleep(mode: SocketAddr) -> String {
    format!(r#"curl -s -X PUT http://{mode}/ -d '{{"mode":"GAMING","model":"sleep"}}'; echo"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn the_first_lines_are_for_machines() {
        let banner = banner_of(addr(8080), addr(8081), addr(1234), Path::new("mode.txt"));
        let lines: Vec<_> = banner.lines().take(3).collect();
        assert_eq!(
            lines,
            [
                "proxy    http://127.0.0.1:8080",
                "admin    http://127.0.0.1:8081",
                "mode     http://127.0.0.1:1234"
            ]
        );
    }

    #[test]
    fn every_body_to_paste_is_json() {
        let bodies: Vec<_> = tries(addr(1), addr(2), Path::new("mode.txt"))
            .into_iter()
            .filter_map(|tried| Some(tried.command.split_once("-d '")?.1.split_once('\'')?.0.to_owned()))
            .collect();
        assert_eq!(bodies.len(), 10);
        for body in bodies {
            serde_json::from_str::<serde_json::Value>(&body)
                .unwrap_or_else(|error| panic!("{body}: {error}"));
        }
    }
}
