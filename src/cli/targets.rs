//! Where a command writes: not over what it reads, and known to be possible before it computes.

use super::error::CliError;
use crate::output::whole;
use std::path::Path;

/// Refuses a file to write that is one of the files that are read, or cannot be written.
pub(super) fn check<'a>(
    target: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), CliError> {
    let real = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
    if let Some(target) = real(target)
        && let Some(input) = inputs
            .into_iter()
            .find(|input| real(input).as_ref() == Some(&target))
    {
        return Err(CliError::would_overwrite(input).hint("write to another file"));
    }
    whole::check(target).map_err(|e| CliError::output(&target.display().to_string(), &e))
}
