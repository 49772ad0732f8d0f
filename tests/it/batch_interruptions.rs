//! `jianbao batch`, interrupted: what is done stays done, and the run goes on to the same bytes.

use crate::batch::{articles, batch, records, running, stderr, text, write_lines};
use crate::laws::TINY;
use jianbao::output::record::Record;
use jianbao::pipeline::batch::flow::{self, Job};
use jianbao::pipeline::batch::folder::PartSink;
use jianbao::pipeline::batch::inputs::{self, Selection};
use jianbao::pipeline::batch::tasks::NothingFinished;
use jianbao::pipeline::document::Options;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Killed with no warning, again and again, at moments that nobody chose: the run goes on and ends with the bytes of
/// one that was left alone.
#[cfg(unix)]
#[test]
fn thirty_kills_change_nothing() {
    let work = tempfile::tempdir().unwrap();
    let lines = work.path().join("in.jsonl");
    write_lines(&lines, 64 * 70);
    let calm = work.path().join("calm");
    batch(&[text(&lines), "-o", text(&calm)]).assert().success();
    let out = work.path().join("out");
    let parts = || {
        fs::read_dir(out.join("parts")).map_or(0, |entries| {
            entries
                .flatten()
                .filter(|e| e.file_name().to_string_lossy().ends_with(".jsonl"))
                .count()
        })
    };
    let (mut kills, mut state) = (0u32, 12345u32);
    loop {
        let before = parts();
        let mut child = running(&[text(&lines), "-q", "-o", text(&out)])
            .spawn()
            .unwrap();
        // Until one more part is there, and then some microseconds to some milliseconds.
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if parts() > before {
                break None;
            }
            std::thread::sleep(Duration::from_micros(300));
        };
        if let Some(status) = ended {
            assert!(status.success());
            break;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_micros(u64::from(state >> 20)));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if kills == 40 {
            batch(&[text(&lines), "-o", text(&out)]).assert().success();
            break;
        }
    }
    assert!(kills >= 30, "only {kills} kills fitted into the run");
    let same = fs::read(out.join("results.jsonl")).unwrap()
        == fs::read(calm.join("results.jsonl")).unwrap();
    assert!(same, "after {kills} kills");
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_parts_at_hand_and_says_how_to_go_on() {
    let (_work, lines, out) = articles(64 * 60);
    let mut child = running(&[text(&lines), "-o", text(&out)])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !out.join("parts/00001.jsonl").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let status = child.wait().unwrap();
    let mut message = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut message)
        .unwrap();
    assert_eq!(status.code(), Some(130), "{message}");
    assert!(message.contains("goes on from there"), "{message}");
    assert!(!out.join("results.jsonl").exists());
    let resumed = batch(&[text(&lines), "-o", text(&out)]).assert().success();
    let message = stderr(&resumed);
    assert!(message.contains("going on"), "{message}");
    assert_eq!(records(&out.join("results.jsonl")).len(), 64 * 60);
}

/// Through the library: a stop is heard by the parts that are not begun, though their inputs wait already.
#[test]
fn a_stop_leaves_what_is_not_begun() {
    let work = tempfile::tempdir().unwrap();
    let page = fs::read_to_string("examples/page.txt").unwrap();
    const INPUTS: usize = 200;
    for i in 0..INPUTS {
        fs::write(work.path().join(format!("{i:03}.txt")), &page).unwrap();
    }
    let selection = Selection::new(&["*.txt".to_owned()], &[]).unwrap();
    let job = Job {
        inputs: Arc::new(inputs::list(&[work.path().to_owned()], &selection, None).unwrap()),
        model: &TINY,
        options: &Options::default(),
        max_bytes: 1 << 20,
        finished: Arc::new(NothingFinished),
        stop: Arc::default(),
    };
    let mut sizes = Vec::new();
    let mut sink = PartSink::new(|_, bytes: &[u8]| {
        sizes.push(bytes.iter().filter(|&&byte| byte == b'\n').count());
        Ok(())
    });
    let outcome = flow::run(&job, &mut sink, &StopAtFirst(Arc::clone(&job.stop))).unwrap();
    assert_eq!(outcome.parts, None);
    assert!(sizes.iter().sum::<usize>() < INPUTS / 2, "{sizes:?}");
    // Whole parts: of 2, 4, 8, … inputs.
    assert!(
        sizes.iter().zip(1..).all(|(&size, k)| size == 1 << k),
        "{sizes:?}"
    );
}

/// Stops the run at its first record.
struct StopAtFirst(Arc<AtomicBool>);

impl flow::Observer for StopAtFirst {
    fn record(&self, _: &Record, _: u64) {
        self.0.store(true, Ordering::Relaxed);
    }
}
