//! `run.json`: everything about a run that must not stand in a record.

use crate::cli::args::BatchArgs;
use crate::cli::error::{CliError, ExitStatus};
use crate::model::Model;
use crate::output::digest::sha256;
use crate::output::json;
use crate::pipeline::batch::flow::Outcome;
use crate::pipeline::batch::folder::OutputFolder;
use crate::pipeline::batch::inputs::InputList;
use crate::pipeline::batch::manifest::{self, Settings};
use crate::pipeline::batch::report::Counts;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::BufReader;
use std::time::SystemTime;

pub(super) const RESTART: &str =
    "give the same command as before to go on, another -o, or --restart to begin anew";

const SCHEMA: &str = "jianbao-run/1";

/// A run: what was asked, and how far it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Run {
    schema: String,
    status: Status,
    settings: Settings,
    /// What may differ between two sessions of one run.
    sessions: Vec<Session>,
    #[serde(skip_deserializing)]
    counts: Option<Counts>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Running,
    Interrupted,
    Complete,
}

/// One start of the program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Session {
    began: String,
    ended: Option<String>,
    seconds: Option<f64>,
    /// Seconds in which the encoder was at work, and their share.
    encoding_seconds: Option<f64>,
    encoding_share: Option<f64>,
    tokens: Option<u64>,
    device: String,
    threads: usize,
    batch_tokens: u32,
    host: String,
    system: String,
    parts_found: usize,
}

impl Session {
    /// `parts_found` were done by earlier sessions.
    pub fn new(args: &BatchArgs, model: &Model, parts_found: usize) -> Self {
        Self {
            began: now(),
            ended: None,
            seconds: None,
            encoding_seconds: None,
            encoding_share: None,
            tokens: None,
            device: model.provenance().device.to_owned(),
            threads: rayon::current_num_threads(),
            batch_tokens: args.batch_tokens,
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            parts_found,
        }
    }
}

/// Whether a run wrote into this folder: it has a `run.json` of ours. Refuses one without it that has files which a run would
/// overwrite, by their names.
pub(super) fn is_ours(folder: &OutputFolder) -> Result<bool, CliError> {
    #[derive(Deserialize)]
    struct Form {
        schema: String,
    }
    let path = folder.path("run.json");
    let form: Option<Form> = std::fs::read(&path)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok());
    // Of whatever version.
    let name = |schema: &str| schema.split('/').next().map(str::to_owned);
    if form.is_some_and(|form| name(&form.schema) == name(SCHEMA)) {
        return Ok(true);
    }
    let results = folder.results();
    let results =
        results.map_err(|e| CliError::output(&folder.root().display().to_string(), &e))?;
    let Some(first) = results.first() else {
        return Ok(false);
    };
    let message = format!(
        "{} would be overwritten, and no jianbao batch wrote it",
        first.display()
    );
    Err(CliError::new(ExitStatus::Usage, message).hint("give another -o, or move the file away"))
}

impl Run {
    /// The run that an earlier session began in this folder, or a new one; an error when it was another one.
    pub fn open(
        folder: &OutputFolder,
        settings: Settings,
        list: &InputList,
    ) -> Result<Self, CliError> {
        let path = folder.path("run.json");
        let refuse = |difference: String| {
            let root = folder.root().display();
            let message = format!("{root} holds another run: {difference}");
            CliError::new(ExitStatus::Usage, message).hint(RESTART)
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::new(settings)),
            Err(e) => return Err(CliError::unreadable(&path.display().to_string(), &e)),
        };
        let run: Self = serde_json::from_str(&text)
            .map_err(|e| refuse(format!("run.json is not readable ({e})")))?;
        if run.schema != SCHEMA {
            return Err(refuse(format!("run.json has the form {}", run.schema)));
        }
        let inputs = folder.path("inputs.jsonl");
        // A run that found nothing to do has nothing to lose.
        if inputs.metadata().is_ok_and(|inputs| inputs.len() == 0) {
            return Ok(Self::new(settings));
        }
        if let Some(difference) = manifest::settings_difference(&run.settings, &settings) {
            return Err(refuse(difference));
        }
        // It was stopped before its inputs were listed.
        if run.is_new() {
            return Ok(run);
        }
        let then = File::open(&inputs).map_err(|e| {
            refuse(format!(
                "inputs.jsonl, its list of inputs, cannot be read ({e})"
            ))
        })?;
        match manifest::inputs_difference(BufReader::new(then), list) {
            Ok(None) => Ok(run),
            Ok(Some(difference)) => Err(refuse(difference)),
            Err(e) => Err(refuse(format!("inputs.jsonl is not readable ({e})"))),
        }
    }

    fn new(settings: Settings) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            status: Status::Running,
            settings,
            sessions: Vec::new(),
            counts: None,
        }
    }

    pub fn is_new(&self) -> bool {
        self.sessions.is_empty()
    }

    pub fn begin(&mut self, session: Session) {
        self.status = Status::Running;
        self.sessions.push(session);
    }

    /// Ends the session; with counts the run is complete.
    pub fn end(&mut self, outcome: &Outcome, counts: Option<Counts>) {
        self.status = match counts {
            Some(_) => Status::Complete,
            None => Status::Interrupted,
        };
        self.counts = counts;
        if let Some(session) = self.sessions.last_mut() {
            let seconds = outcome.wall.as_secs_f64();
            let encoding = outcome.encoding.as_secs_f64();
            session.ended = Some(now());
            session.seconds = Some(seconds);
            session.encoding_seconds = Some(encoding);
            session.encoding_share = Some(encoding / seconds.max(1e-9));
            session.tokens = Some(outcome.tokens);
        }
    }

    pub fn write(&self, folder: &OutputFolder) -> std::io::Result<()> {
        let text = json::text(self, true);
        folder.write(&folder.path("run.json"), |out| {
            out.write_all(text.as_bytes())
        })
    }
}

/// Everything that can change a record.
pub(super) fn settings(args: &BatchArgs, model: &Model) -> Result<Settings, CliError> {
    let layout = args.document.layout.to_possible_value();
    let summary = match args.document.max_chars {
        Some(chars) => format!("at most {chars} characters"),
        None => format!("{} sentences", args.document.sentences),
    };
    let sectors = match &args.model.sectors {
        None => "embedded".to_owned(),
        Some(path) => {
            let bytes = std::fs::read(path)
                .map_err(|e| CliError::unreadable(&path.to_string_lossy(), &e))?;
            format!("sha256:{}", sha256(&bytes))
        }
    };
    let encoding = args.document.encoding.0;
    let name = model.name();
    let settings = [
        ("jianbao", env!("CARGO_PKG_VERSION").to_owned()),
        ("model", format!("{} {}", name.name, name.digest)),
        ("model settings", model.provenance().settings.clone()),
        ("--dtype", name.dtype.clone()),
        ("--device", model.provenance().device.to_owned()),
        (
            "--layout",
            layout.map_or_else(String::new, |value| value.get_name().to_owned()),
        ),
        (
            "--encoding",
            encoding.map_or("auto", |e| e.name()).to_owned(),
        ),
        ("summary", summary),
        ("--keywords", args.document.keywords.to_string()),
        ("--sectors", sectors),
        ("--max-bytes", args.max_bytes.to_string()),
        ("--include", args.include.join(" ")),
        ("--exclude", args.exclude.join(" ")),
    ];
    Ok(settings
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect())
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
