//! Rotation to the byte, and disks that fill up, vanish and come back.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn at(folder: &Path, max_size: u64, keep: u32) -> RotatedFile {
    RotatedFile::new(Place { path: folder.join("audit.jsonl"), max_size, keep })
}

fn lines<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.iter().map(|word| format!("{word}\n")).collect()
}

fn read(folder: &TempDir, name: &str) -> Option<String> {
    fs::read_to_string(folder.path().join(name)).ok()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn lines_are_appended_to_what_is_there() {
    let folder = folder();
    for word in ["one", "two"] {
        assert_eq!(at(folder.path(), 1000, 1).write(&lines([word])), 0);
    }
    assert_eq!(read(&folder, "audit.jsonl").unwrap(), "one\ntwo\n");
    let mode = fs::metadata(folder.path().join("audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777 & !MODE, 0, "nobody else may read it: {mode:o}");
}

#[test]
fn a_full_file_is_put_aside_and_the_oldest_goes() {
    let folder = folder();
    let mut file = at(folder.path(), 8, 2);
    assert_eq!(file.write(&lines(["aaa", "bbb", "ccc", "ddd", "eee", "fff", "ggg"])), 0);
    assert_eq!(read(&folder, "audit.jsonl").unwrap(), "ggg\n");
    assert_eq!(read(&folder, "audit.jsonl.1").unwrap(), "eee\nfff\n");
    assert_eq!(read(&folder, "audit.jsonl.2").unwrap(), "ccc\nddd\n");
    assert_eq!(read(&folder, "audit.jsonl.3"), None);
}

#[test]
fn none_is_kept_where_none_is_wanted() {
    let folder = folder();
    let mut file = at(folder.path(), 4, 0);
    assert_eq!(file.write(&lines(["aaa", "bbb"])), 0);
    assert_eq!(read(&folder, "audit.jsonl").unwrap(), "bbb\n");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_line_longer_than_a_file_has_one_to_itself() {
    let folder = folder();
    let mut file = at(folder.path(), 5, 3);
    assert_eq!(file.write(&lines(["a", "0123456789", "b"])), 0);
    assert_eq!(read(&folder, "audit.jsonl.2").unwrap(), "a\n");
    assert_eq!(read(&folder, "audit.jsonl.1").unwrap(), "0123456789\n");
    assert_eq!(read(&folder, "audit.jsonl").unwrap(), "b\n");
}

#[test]
fn half_a_line_is_ended_first() {
    let folder = folder();
    fs::write(folder.path().join("audit.jsonl"), "{\"half").unwrap();
    assert_eq!(at(folder.path(), 1000, 1).write(&lines(["next"])), 0);
    assert_eq!(read(&folder, "audit.jsonl").unwrap(), "{\"half\nnext\n");
}

#[test]
fn a_file_that_was_taken_away_is_begun_anew() {
    let folder = folder();
    let mut file = at(folder.path(), 1000, 1);
    file.write(&lines(["one"]));
    fs::rename(folder.path().join("audit.jsonl"), folder.path().join("elsewhere")).unwrap();
    assert_eq!(file.write(&lines(["two"])), 0);
    assert_eq!(read(&folder, "elsewhere").unwrap(), "one\n");
    assert_eq!(read(&folder, "audit.jsonl").unwrap(), "two\n");
}

#[test]
fn a_vanished_disk_is_tried_again_with_growing_pauses() {
    let folder = folder();
    let disk = folder.path().join("disk");
    let mut file = at(&disk, 1000, 1);
    let began = Instant::now();
    let mut write_at = |after: u64| file.write_at(&lines(["x", "y"]), began + Duration::from_millis(after));
    assert_eq!(write_at(0), 2, "there is no such folder");
    fs::create_dir(&disk).unwrap();
    assert_eq!(write_at(99), 2, "not yet tried again");
    assert_eq!(write_at(100), 0, "it came back by itself");
    fs::remove_dir_all(&disk).unwrap();
    assert_eq!(write_at(200), 2);
    assert_eq!(write_at(300), 2, "tried and failed: the pause is twice as long now");
    fs::create_dir(&disk).unwrap();
    assert_eq!(write_at(499), 2);
    assert_eq!(write_at(500), 0);
    assert_eq!(fs::read_to_string(disk.join("audit.jsonl")).unwrap(), "x\ny\n");
}

#[test]
fn a_pause_is_never_longer_than_some_seconds() {
    let mut file = at(Path::new("/nonexistent"), 1000, 1);
    let mut now = Instant::now();
    for _ in 0..100 {
        file.write_at(&lines(["x"]), now);
        now = file.trouble.as_ref().unwrap().until;
    }
    let trouble = file.trouble.unwrap();
    assert_eq!((trouble.pause, trouble.lost), (LONGEST_PAUSE, 100));
}

#[test]
fn a_full_disk_takes_nothing_and_is_no_end() {
    let mut file = RotatedFile::new(Place { path: "/dev/full".into(), max_size: 1000, keep: 1 });
    assert_eq!(file.write(&lines(["x", "y"])), 2);
    assert_eq!(file.trouble.as_ref().unwrap().lost, 2);
}

proptest! {
    /// Whatever the batches are, the files together hold every line in order, and none is too large.
    #[test]
    fn nothing_is_lost_in_a_rotation(
        batches in prop::collection::vec(prop::collection::vec("[a-z]{0,12}", 0..6), 0..8), max_size in 1_u64..40,
    ) {
        let folder = folder();
        let mut file = at(folder.path(), max_size, 100);
        for batch in &batches {
            let batch: Vec<_> = batch.iter().map(|word| format!("{word}\n")).collect();
            prop_assert_eq!(file.write(&batch), 0);
        }
        let mut told = String::new();
        for number in (0..=100).rev() {
            let text = fs::read_to_string(file.aside(number)).unwrap_or_default();
            prop_assert!(bytes(&text) <= max_size || text.lines().count() == 1, "{}", text);
            told += &text;
        }
        let wanted: String = batches.iter().flatten().map(|word| format!("{word}\n")).collect();
        prop_assert_eq!(told, wanted);
    }
}
