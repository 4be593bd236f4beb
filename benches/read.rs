//! What reading a body costs, by its size and by what it says: the facts, and the forwarded body. For
//! comparison `serde_json` skipping through the same bytes without keeping anything.

#![expect(clippy::expect_used, reason = "a benchmark without its input is over")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use sluice::openai::Endpoint;
use sluice::policy::PromptPolicy;
use sluice::prompt::{self, Patterns};

/// A conversation of about `size` bytes: prose, code and JSON in turns, as an agent has them.
fn body(size: usize) -> Vec<u8> {
    let prose = "The lock on the upper gate sticks when the water is low; somebody has to look at it.\n";
    let code = "fn main() {\n    let gates = [\"upper\", \"lower\"];\n    println!(\"{gates:?}\");\n}\n";
    let mut messages = vec![json!({"role": "system", "content": "You are a lock keeper."})];
    let mut length = 300;
    let turn = size.clamp(200, 4_000);
    while length < size {
        let text = if messages.len() % 2 == 1 { prose } else { code };
        let content = text.repeat(turn.min(size - length).div_ceil(text.len()));
        length += content.len() + 40;
        let role = if messages.len() % 2 == 1 { "user" } else { "assistant" };
        messages.push(json!({"role": role, "content": content}));
    }
    messages.push(json!({"role": "user", "content": "Which gate is open?"}));
    let request: Value = json!({"model": "auto", "messages": messages, "stream": true, "max_tokens": 512});
    request.to_string().into_bytes()
}

fn patterns() -> Patterns {
    Patterns::new(&PromptPolicy {
        tags: vec![("force_big".to_owned(), r"(?i)#force_big\b".to_owned())],
        strip_tags: true,
        patterns: vec![r"(?i)\brefactor\b".to_owned()],
        image_tokens: 1_024,
    })
    .expect("the patterns are good")
}

fn read(criterion: &mut Criterion) {
    let patterns = patterns();
    let mut group = criterion.benchmark_group("read");
    for (name, size) in [("600B", 600), ("32kB", 32_000), ("256kB", 256_000), ("2MB", 2_000_000)] {
        let body = Bytes::from(body(size));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::new("facts", name), |bencher| {
            bencher.iter(|| prompt::read(black_box(&body), Endpoint::ChatCompletions, &patterns));
        });
        let prompt = prompt::read(&body, Endpoint::ChatCompletions, &patterns).expect("the body is good");
        group.bench_function(BenchmarkId::new("forwarded", name), |bencher| {
            bencher.iter(|| prompt.forwarded(black_box(&body), "qwen3-coder-14b"));
        });
        group.bench_function(BenchmarkId::new("serde_json skips", name), |bencher| {
            bencher.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(&body)));
        });
    }
    group.finish();
}

/// A request with one text of about `size` bytes, before it is escaped, which repeats `line`; also as what a tool is
/// called with, which is written as JSON twice.
fn long_text(line: &str, size: usize, in_arguments: bool) -> Vec<u8> {
    let text = line.repeat(size / line.len());
    let said = if in_arguments {
        let function = json!({"name": "write", "arguments": json!({ "text": text }).to_string()});
        json!({"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": function}]})
    } else {
        json!({"role": "assistant", "content": text})
    };
    let asked = json!({"role": "user", "content": "Which gate is open?"});
    json!({"model": "auto", "messages": [said, asked]}).to_string().into_bytes()
}

fn read_kinds(criterion: &mut Criterion) {
    let patterns = patterns();
    let mut group = criterion.benchmark_group("read kinds, 1MB");
    let code = "    let gates = [\"upper\", \"lower\"];\n    println!(\"{gates:?}\");\n";
    for (name, line, in_arguments) in [
        ("prose", "The lock on the upper gate sticks when the water is low. ", false),
        ("German", "Die Schleuse klemmt bei Niedrigwasser; jemand muss früh hingehen.\n", false),
        ("code", code, false),
        ("code in arguments", code, true),
        ("German JSON", "{\"straße\": \"Königsallee 5\", \"stadt\": \"Düsseldorf\"},\n", false),
        ("German JSON in arguments", "{\"straße\": \"Königsallee 5\", \"stadt\": \"Düsseldorf\"},\n", true),
        ("Chinese", "水位低时上闸门卡住，需要有人去看看。\n", false),
        ("Windows paths", "C:\\Users\\me\\src\\lib\\gate.py\n", false),
        ("LaTeX", "\\frac{\\alpha}{\\beta} + \\sum_{i}\n", false),
        ("a tree", "├── src\n│   ├── main.rs\n│   └── lib.rs\n", false),
        ("backslashes alone", "\\\\", false),
    ] {
        let body = Bytes::from(long_text(line, 1_000_000, in_arguments));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| prompt::read(black_box(&body), Endpoint::ChatCompletions, &patterns));
        });
    }
    group.finish();
}

criterion_group!(benches, read, read_kinds);
criterion_main!(benches);
