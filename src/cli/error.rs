//! What a person is told when something fails, and the exit code.

use crate::encoder::EncodeError;
use crate::encoder::candle::device::DeviceError;
use crate::model::ModelError;
use crate::pipeline::document::Problem;
use std::path::Path;
use std::process::ExitCode;

/// Exit codes, as `--help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExitStatus {
    Success = 0,
    /// Of a batch, some inputs; their records say why.
    SomeFailed = 1,
    Usage = 2,
    Input = 3,
    Model = 4,
    Device = 5,
    Output = 6,
    Interrupted = 130,
    /// The reader of stdout went away; turned into success.
    BrokenPipe = 141,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status as u8)
    }
}

/// One sentence, perhaps a way out, and the exit code.
#[derive(Debug)]
pub(super) struct CliError {
    pub status: ExitStatus,
    pub message: String,
    pub hint: Option<String>,
}

impl CliError {
    pub fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An output that stands where an input does.
    pub fn would_overwrite(input: &Path) -> Self {
        let message = format!("{} is an input and would be overwritten", input.display());
        Self::new(ExitStatus::Usage, message)
    }

    /// A document that gave no brief.
    pub fn document(path: &str, error: &Problem) -> Self {
        let status = match error {
            Problem::Decode(_) | Problem::Unread(..) => ExitStatus::Input,
            Problem::Encoder(_) | Problem::Internal(_) => ExitStatus::Model,
        };
        let message = format!("{path} {error}");
        match error.kind() {
            "encoding" => Self::new(status, message)
                .hint("leave --encoding out to let jianbao find the encoding"),
            "binary" if path.ends_with(".gz") || path.ends_with(".zst") => Self::new(
                status, message,
            )
            .hint("`jianbao batch` reads JSON Lines that are packed; unpack anything else first"),
            "binary" => Self::new(status, message)
                .hint("give plain text; if it is text, name its encoding with --encoding"),
            "empty" => Self::new(status, message)
                .hint("check that the right file was given and that it was written completely"),
            _ => Self::new(status, message),
        }
    }

    /// An input that cannot be opened or read.
    pub fn unreadable(path: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (reason, hint) = match error.kind() {
            ErrorKind::NotFound => ("does not exist", "check the path"),
            ErrorKind::PermissionDenied => ("may not be read", "check the file's permissions"),
            ErrorKind::IsADirectory => (
                "is a folder",
                "give one file, or use `jianbao batch` for every file of a folder",
            ),
            _ => return Self::new(ExitStatus::Input, format!("{path} cannot be read: {error}")),
        };
        Self::new(ExitStatus::Input, format!("{path} {reason}")).hint(hint)
    }

    /// Standard output or `-o` failed.
    pub fn output(target: &str, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(ExitStatus::BrokenPipe, "the reader of the output went away");
        }
        use std::io::ErrorKind;
        let hint = match error.kind() {
            ErrorKind::NotFound => "make the folder first",
            ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "`summarize` writes a file, `batch` a folder: give another -o"
            }
            _ => "check the folder's permissions and the space left on the disk",
        };
        Self::new(
            ExitStatus::Output,
            format!("{target} cannot be written: {error}"),
        )
        .hint(hint)
    }
}

impl From<ModelError> for CliError {
    fn from(error: ModelError) -> Self {
        let hint = match &error {
            ModelError::NoFolder(_) => "give a folder, `news` for the embedded model, or hf:OWNER/REPO for one of the Hub".to_owned(),
            ModelError::MissingFile { .. } => {
                "a model folder has config.json, tokenizer.json (or vocab.txt) and model.safetensors (or pytorch_model.bin)".to_owned()
            }
            ModelError::Unreadable { .. } => "check the file's permissions".to_owned(),
            ModelError::Damaged { .. } => "copy or fetch the model again; `jianbao models verify` checks a folder".to_owned(),
            ModelError::Precision { .. } => "leave --dtype out".to_owned(),
            ModelError::NotEmbedded => "name a model with --model, or build with the feature `embedded-model`".to_owned(),
            ModelError::NoHub => "build with the feature `hub`, or give a folder with --model".to_owned(),
            ModelError::NotFetched { folder, .. } => format!(
                "fetch it where there is a network (`jianbao models fetch`), or put config.json, tokenizer.json and model.safetensors into {}",
                folder.display()
            ),
        };
        Self::new(ExitStatus::Model, error.to_string()).hint(hint)
    }
}

impl From<DeviceError> for CliError {
    fn from(error: DeviceError) -> Self {
        Self::new(ExitStatus::Device, error.to_string())
            .hint("use --device cpu, or --device auto to take what there is")
    }
}

impl From<EncodeError> for CliError {
    fn from(error: EncodeError) -> Self {
        Self::new(ExitStatus::Model, error.to_string())
    }
}
