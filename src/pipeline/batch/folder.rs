//! The output folder: finished parts, and whole files only.

use super::flow::Sink;
use super::results::{RESULTS, part_number};
use super::tasks::{Finished, Identity};
use crate::output::json::line;
use crate::output::record::Record;
use crate::output::whole;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where a run writes. One program at a time: the lock goes with the value.
#[derive(Debug)]
pub struct OutputFolder {
    root: PathBuf,
    _lock: File,
}

/// Prefix of files that are being written; what an interrupted run left is removed.
const UNFINISHED: &str = ".unfinished-";

impl OutputFolder {
    /// Opens the folder, making it when it is not there; what stands in it stays as it is. `WouldBlock` means that another
    /// run holds it.
    pub fn open(root: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(root)?;
        // Somebody may have a file of that name: it is locked, not emptied.
        let mut options = File::options();
        let lock = (options.write(true).create(true).truncate(false)).open(root.join(".lock"))?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => std::io::ErrorKind::WouldBlock.into(),
            fs::TryLockError::Error(e) => e,
        })?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
        })
    }

    fn parts(&self) -> PathBuf {
        self.root.join("parts")
    }

    /// Makes the folder for parts.
    pub fn make_parts(&self) -> std::io::Result<()> {
        fs::create_dir_all(self.parts())
    }

    /// Removes what an interrupted run left half-written. Only for a folder that is known to be a run's.
    pub fn remove_unfinished(&self) -> std::io::Result<()> {
        for entry in listed(&self.root)?
            .into_iter()
            .chain(listed(&self.parts())?)
        {
            let is_ours = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            if is_ours && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn part(&self, part: usize) -> PathBuf {
        part_path(&self.root, part)
    }

    /// Removes what a run wrote, by name; what else stands here stays. What says that it was a run goes last.
    pub fn clear(&self) -> std::io::Result<()> {
        for path in self.results()?.into_iter().rev() {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// What stands here by a name that a run gives, `run.json` first and its parts last.
    pub fn results(&self) -> std::io::Result<Vec<PathBuf>> {
        let named = RESULTS.iter().map(|name| self.path(name));
        let mut found: Vec<PathBuf> = named
            .filter(|path| path.symlink_metadata().is_ok())
            .collect();
        let parts = listed(&self.parts())?.into_iter();
        let parts = parts.map(|entry| entry.path());
        found.extend(parts.filter(|path| part_number(path).is_some()));
        Ok(found)
    }

    /// The parts that are there, whole.
    pub fn finished(&self) -> std::io::Result<FinishedParts> {
        let mut parts = BTreeSet::new();
        for entry in listed(&self.parts())? {
            let path = entry.path();
            // Renamed only when whole; the last byte is looked at all the same, for file systems that lie.
            if let Some(number) = part_number(&path)
                && ends_with_newline(&path)?
            {
                parts.insert(number);
            }
        }
        Ok(FinishedParts {
            root: self.root.clone(),
            parts,
        })
    }

    /// Writes a file whole or not at all.
    pub fn write(
        &self,
        target: &Path,
        fill: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        whole::write(target, UNFINISHED, fill)
    }
}

fn part_path(root: &Path, part: usize) -> PathBuf {
    root.join("parts").join(format!("{part:05}.jsonl"))
}

/// What stands in a folder; nothing in one that is not there.
fn listed(folder: &Path) -> std::io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

fn ends_with_newline(path: &Path) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// An error that names the file it is about.
pub(super) fn in_file(path: &Path, e: std::io::Error) -> std::io::Error {
    std::io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

/// Parts of an earlier run.
#[derive(Debug, Clone)]
pub struct FinishedParts {
    root: PathBuf,
    parts: BTreeSet<usize>,
}

impl FinishedParts {
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The highest number.
    pub fn last(&self) -> Option<usize> {
        self.parts.last().copied()
    }
}

impl Finished for FinishedParts {
    fn contains(&self, part: usize) -> bool {
        self.parts.contains(&part)
    }

    fn identities(&self, part: usize) -> std::io::Result<Vec<Identity>> {
        #[derive(Deserialize)]
        struct Record {
            id: String,
            source: Source,
        }
        #[derive(Deserialize)]
        struct Source {
            sha256: Option<String>,
        }
        let path = part_path(&self.root, part);
        let in_part = |e| in_file(&path, e);
        BufReader::new(File::open(&path).map_err(in_part)?)
            .lines()
            .map(|line| {
                let record: Record = serde_json::from_str(&line?)?;
                Ok((record.id, record.source.sha256))
            })
            .collect::<std::io::Result<_>>()
            .map_err(in_part)
    }
}

/// Collects a part's records and hands them on when it is complete.
pub struct PartSink<W: FnMut(usize, &[u8]) -> std::io::Result<()>> {
    write: W,
    part: usize,
    lines: Vec<u8>,
}

impl<W: FnMut(usize, &[u8]) -> std::io::Result<()>> PartSink<W> {
    pub fn new(write: W) -> Self {
        Self {
            write,
            part: 0,
            lines: Vec::new(),
        }
    }
}

impl<W: FnMut(usize, &[u8]) -> std::io::Result<()>> Sink for PartSink<W> {
    fn record(&mut self, part: usize, record: &Record) -> std::io::Result<()> {
        if part != self.part {
            self.end()?;
        }
        self.part = part;
        self.lines.extend_from_slice(line(record).as_bytes());
        Ok(())
    }

    fn end(&mut self) -> std::io::Result<()> {
        if !self.lines.is_empty() {
            (self.write)(self.part, &self.lines)?;
            self.lines.clear();
        }
        Ok(())
    }
}

/// Writes every record as it comes.
pub struct StreamSink<W: Write>(pub std::io::BufWriter<W>);

impl<W: Write> Sink for StreamSink<W> {
    fn record(&mut self, _: usize, record: &Record) -> std::io::Result<()> {
        self.0.write_all(line(record).as_bytes())
    }

    fn end(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }

    fn idle(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::document::Problem;

    fn failure(id: &str) -> Record {
        Problem::Unread("missing", "is gone".to_owned()).record(id, id)
    }

    #[test]
    fn a_part_is_written_when_the_next_one_begins() {
        let mut written = Vec::new();
        let mut sink = PartSink::new(|part, bytes: &[u8]| {
            written.push((part, bytes.iter().filter(|&&b| b == b'\n').count()));
            Ok(())
        });
        for (part, id) in [(0, "a"), (0, "b"), (3, "c")] {
            sink.record(part, &failure(id)).unwrap();
        }
        sink.end().unwrap();
        sink.end().unwrap();
        assert_eq!(written, [(0, 2), (3, 1)]);
    }

    #[test]
    fn finished_parts_know_their_inputs_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        {
            let output = OutputFolder::open(folder.path()).unwrap();
            output.make_parts().unwrap();
            let text = [line(&failure("a")), line(&failure("b"))].concat();
            let write = |out: &mut (dyn Write + Send)| out.write_all(text.as_bytes());
            output.write(&output.part(7), write).unwrap();
            fs::write(output.part(8), "cut off").unwrap();
            fs::write(folder.path().join("parts/.unfinished-x"), "").unwrap();
            let busy = OutputFolder::open(folder.path()).unwrap_err();
            assert_eq!(busy.kind(), std::io::ErrorKind::WouldBlock);
        }
        let output = OutputFolder::open(folder.path()).unwrap();
        assert!(folder.path().join("parts/.unfinished-x").exists());
        output.remove_unfinished().unwrap();
        let finished = output.finished().unwrap();
        assert_eq!((finished.len(), finished.last()), (1, Some(7)));
        let identities = finished.identities(7).unwrap();
        assert_eq!(identities, [("a".to_owned(), None), ("b".to_owned(), None)]);
        assert!(!folder.path().join("parts/.unfinished-x").exists());
        fs::write(folder.path().join("parts/a.txt"), "mine").unwrap();
        output.clear().unwrap();
        assert!(output.finished().unwrap().is_empty() && !output.part(8).exists());
        assert!(folder.path().join("parts/a.txt").exists());
    }

    #[test]
    fn opening_a_folder_changes_nothing_that_stands_there() {
        let folder = tempfile::tempdir().unwrap();
        let mine = |name: &str| folder.path().join(name);
        fs::write(mine(".lock"), "mine").unwrap();
        fs::write(mine(".unfinished-novel.txt"), "mine").unwrap();
        fs::create_dir(mine(".unfinished-plans")).unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        assert_eq!(output.results().unwrap(), Vec::<PathBuf>::new());
        for name in [".lock", ".unfinished-novel.txt"] {
            assert_eq!(fs::read_to_string(mine(name)).unwrap(), "mine");
        }
        output.remove_unfinished().unwrap();
        assert!(mine(".unfinished-plans").is_dir());
    }

    /// A clearing that was cut short is one of a run still.
    #[test]
    fn what_says_whose_folder_it_is_goes_last() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        output.make_parts().unwrap();
        for path in [output.path("run.json"), output.path("errors.jsonl")] {
            fs::write(path, "").unwrap();
        }
        // A part that cannot be removed: it is a folder.
        fs::create_dir(output.part(3)).unwrap();
        assert!(output.clear().is_err());
        assert!(output.path("run.json").exists());
    }

    #[test]
    fn a_file_that_cannot_be_filled_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let output = OutputFolder::open(folder.path()).unwrap();
        let full = |_: &mut (dyn Write + Send)| Err(std::io::ErrorKind::StorageFull.into());
        assert!(output.write(&output.path("run.json"), full).is_err());
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(
            left.iter().all(|name| name == ".lock" || name == "parts"),
            "{left:?}"
        );
    }
}
