//! The queue and its thread: all that was taken is written, what does not fit is counted.

use serde_json::json;

use super::*;

fn dropped(metrics: &Metrics) -> String {
    let text = String::from_utf8(metrics.text()).unwrap();
    let line = text.lines().find(|line| line.starts_with("sluice_audit_dropped_total"));
    line.and_then(|line| line.split(' ').nth(1)).unwrap().to_owned()
}

fn place(path: PathBuf) -> Place {
    Place { path, max_size: 1 << 30, keep: 1 }
}

#[tokio::test]
async fn what_was_taken_is_written_before_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let metrics = Metrics::new().unwrap();
    let audit = Audit::start(place(path.clone()), metrics.clone()).unwrap();
    (0..1000).for_each(|number| audit.write(entry(json!({ "number": number }))));
    audit.close().await;
    let text = std::fs::read_to_string(path).unwrap();
    let wanted: Vec<_> = (0..1000).map(|number| format!("{{\"number\":{number}}}")).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(dropped(&metrics), "0");
    audit.write(entry(json!("too late")));
    assert_eq!(dropped(&metrics), "1");
    audit.close().await;
}

#[tokio::test]
async fn what_a_full_disk_does_not_take_is_counted() {
    let metrics = Metrics::new().unwrap();
    let audit = Audit::start(place("/dev/full".into()), metrics.clone()).unwrap();
    (0..10).for_each(|number| audit.write(entry(json!(number))));
    audit.close().await;
    assert_eq!(dropped(&metrics), "10");
}

fn entry(record: serde_json::Value) -> Arc<Entry> {
    Arc::new(Entry::new(Box::new(move || record)))
}

#[test]
fn a_full_queue_takes_no_more_and_never_waits() {
    let metrics = Metrics::new().unwrap();
    let (queue, _records) = mpsc::channel(2);
    let audit = Audit { queue, metrics: metrics.clone() };
    (0..5).for_each(|number| audit.write(entry(json!(number))));
    assert_eq!(dropped(&metrics), "3");
}
