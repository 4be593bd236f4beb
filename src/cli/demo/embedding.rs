//! Simulated embeddings: a few numbers that depend on the text alone, as floats or in base64 as SDKs ask for them.

use serde_json::{Value, json};

use super::reply::Reply;
use super::tokens;

/// Numbers in a vector.
const WIDTH: usize = 8;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `/v1/embeddings`: one vector for each input, in order.
pub(super) fn list(reply: &Reply<'_>, body: &Value) -> Value {
    let packed = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = inputs(body)
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(text);
            let embedding = if packed { json!(base64(&little_endian(&vector))) } else { json!(vector) };
            json!({"index": index, "object": "embedding", "embedding": embedding})
        })
        .collect();
    json!({
        "id": format!("embd-{}", reply.id), "object": "list", "created": reply.created, "model": reply.model,
        "data": data,
        "usage": {
            "prompt_tokens": reply.prompt_tokens, "total_tokens": reply.prompt_tokens, "completion_tokens": 0,
            "prompt_tokens_details": null,
        },
    })
}

/// A string or token numbers are one input, a list of either is several.
fn inputs(body: &Value) -> Vec<String> {
    match body.get("input") {
        Some(Value::Array(items)) if !items.iter().all(Value::is_number) => items.iter().map(one).collect(),
        Some(input) => vec![one(input)],
        None => Vec::new(),
    }
}

fn one(input: &Value) -> String {
    match input {
        Value::String(text) => text.clone(),
        Value::Array(numbers) => tokens::text(numbers.iter().filter_map(Value::as_u64)),
        other => other.to_string(),
    }
}

/// How much of the text falls to each of the places, so that equal texts are equal and like ones alike; length 1.
fn vector(text: &str) -> Vec<f32> {
    let mut sums = [1_u16; WIDTH];
    for byte in text.bytes() {
        if let Some(sum) = sums.get_mut(usize::from(byte) % WIDTH) {
            *sum = sum.saturating_add(1);
        }
    }
    let length = sums.iter().map(|&sum| f32::from(sum).powi(2)).sum::<f32>().sqrt();
    sums.iter().map(|&sum| f32::from(sum) / length).collect()
}

fn little_endian(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn base64(bytes: &[u8]) -> String {
    bytes.chunks(3).flat_map(quad).collect()
}

/// Three bytes or fewer as four characters.
fn quad(bytes: &[u8]) -> [char; 4] {
    let group =
        (0..3).fold(0_usize, |group, at| group << 8 | usize::from(bytes.get(at).copied().unwrap_or(0)));
    std::array::from_fn(|place| {
        let digit = ALPHABET.get(group >> (18 - 6 * place) & 63).copied().unwrap_or(b'=');
        char::from(if place > bytes.len() { b'=' } else { digit })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_usual_one() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("\u{ff}~", "w79+"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn a_vector_depends_on_the_text_alone_and_has_length_one() {
        assert_eq!(vector("sluice"), vector("sluice"));
        assert_ne!(vector("sluice"), vector("weir"));
        let length: f32 = vector("sluice").iter().map(|number| number * number).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn each_input_has_its_vector() {
        let count = |input: Value| inputs(&json!({"input": input})).len();
        assert_eq!(count(json!("a")), 1);
        assert_eq!(count(json!(["a", "b"])), 2);
        assert_eq!(count(json!([1, 2, 3])), 1);
        assert_eq!(count(json!([[1], [2]])), 2);
        assert_eq!(count(json!([])), 1);
    }
}
