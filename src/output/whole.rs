//! Files that are whole or not there.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes `text` where somebody asked for it, whole or not at all. A link stays a link: what it leads to is replaced. What is there
/// and no regular file (`/dev/null`, a pipe) is written as it is.
pub fn write_text(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|target| !target.is_file()) {
        return (File::options().write(true).open(&path)?).write_all(text.as_bytes());
    }
    write(&path, ".jianbao-", |out| out.write_all(text.as_bytes()))
}

/// Whether [`write_text`] could write there, asked before a long computation: without changing anything.
pub fn check(path: &Path) -> std::io::Result<()> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match path.metadata() {
        Ok(target) if target.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        // To open and close a pipe is to tell its reader that nothing comes.
        Ok(target) if !target.is_file() => Ok(()),
        _ => (tempfile::tempfile_in(folder_of(&path)).map(drop))
            .map_err(|e| std::io::Error::from(e.kind())),
    }
}

fn folder_of(target: &Path) -> &Path {
    let folder = target
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Writes a file whole or not at all: a temporary file beside the target, sync, rename, sync of the folder. The
/// temporary file's name begins with `prefix`. A file that is replaced leaves its permissions, and its owner where that may be.
pub fn write(
    target: &Path,
    prefix: &str,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let folder = folder_of(target);
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask takes away from this, as for any new file.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    // The name of the temporary file tells nobody anything.
    let file = builder.tempfile_in(folder);
    let mut writer = BufWriter::new(file.map_err(|e| std::io::Error::from(e.kind()))?);
    fill(&mut writer)?;
    let file = writer.into_inner().map_err(|e| e.into_error())?;
    #[cfg(unix)]
    if let Ok(replaced) = target.metadata() {
        use std::os::unix::fs::{MetadataExt, fchown};
        // The owner first: changing it may take permissions away.
        let _ = fchown(file.as_file(), Some(replaced.uid()), Some(replaced.gid()));
        file.as_file().set_permissions(replaced.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(target)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}
