//! What can be written on the command line.

use crate::document::page::Layout;
use crate::encoder::candle::device::{DeviceChoice, Precision, PrecisionChoice};
use crate::model::ModelSource;
use clap::{Args, Parser, Subcommand, ValueEnum};
use encoding_rs::Encoding;
use std::path::PathBuf;

/// Turns Chinese newspaper pages and articles into structured briefs.
#[derive(Debug, Parser)]
#[command(
    name = "jianbao",
    version,
    about = "jianbao 剪报: Chinese newspaper pages and articles → structured briefs (JSON)",
    long_about = "jianbao 剪报 splits a Chinese newspaper page into its articles, files each under a sector, picks the \
        sentences that summarise it, lists its keywords, and writes JSON. One small transformer inside the program \
        does it all, offline, on CPU or GPU.",
    after_help = "Examples:\n  \
        jianbao summarize page.txt                    one page or article → JSON on stdout\n  \
        pdftotext -layout page.pdf - | jianbao summarize -\n  \
        jianbao summarize article.txt --max-chars 120 --keywords 5 -o brief.json\n  \
        jianbao batch archive/ -o briefs/             every .txt of a folder; run again to go on\n  \
        zcat news.jsonl.gz | jianbao batch - -o - | jq .id\n  \
        jianbao bench --mix article                   how fast it is here\n  \
        jianbao models info                           what is inside\n\n\
        Exit codes: 0 fine, 1 some inputs failed, 2 usage, 3 input, 4 model, 5 device, 6 output, 130 interrupted.",
    propagate_version = true,
    arg_required_else_help = true
)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
    /// Print errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say what is being done: device, model, times
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read one file (or `-`, standard input) and write one JSON record
    Summarize(SummarizeArgs),
    /// Read a folder, files or JSON Lines and write one record an input; can be interrupted and goes on
    Batch(BatchArgs),
    /// List, fetch, check and describe models
    Models(ModelsArgs),
    /// Measure a model's quality against gold files
    Eval(EvalArgs),
    /// Measure speed: the encoder and the whole way, on each device and in each number format
    Bench(BenchArgs),
    /// Print the JSON Schema of the records
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page (view it with `jianbao man | man -l -`)
    Man {
        /// Of this command; of the whole program without one
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct SummarizeArgs {
    /// The file; `-` reads standard input
    pub input: PathBuf,
    /// Write to this file instead of stdout (whole or not at all)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How the record is written [default: json on a terminal, jsonl otherwise]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Refuse larger inputs (bytes, or with K, M, G)
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = parse_size)]
    pub max_bytes: u64,
    #[command(flatten)]
    pub document: DocumentArgs,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "INPUT may be folders (searched for --include), text files, JSON Lines (.jsonl or .ndjson, also .gz and .zst: \
        {\"id\", \"title\"?, \"text\"}; with a title the text is one article), or `-`: JSON Lines on standard input, \
        packed or not.\n\n\
        OUT becomes a folder:\n  \
        results.jsonl     one record an input, in input order (results.parquet with --format parquet)\n  \
        errors.jsonl      the records of inputs that failed\n  \
        run.json          options, model, device, times, counts\n  \
        parts/            what is done so far; the same command goes on from there\n\n\
        With `-o -` records go to standard output as they come, for pipes and cluster engines.\n\n\
        Ctrl-C finishes the parts at hand, twice stops at once; nothing that is done is lost.\n\
        Exit codes: 0 all inputs have a brief, 1 some failed (each has its own error record), 130 interrupted."
)]
pub(super) struct BatchArgs {
    /// Folders, text files, .jsonl[.gz|.zst] files, or `-`
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// The folder for the results, or `-` for records on standard output
    #[arg(long, short, value_name = "OUT")]
    pub output: PathBuf,
    /// How results are written
    #[arg(long, value_enum, default_value_t = BatchFormat::Jsonl)]
    pub format: BatchFormat,
    /// Files of a folder that are read (glob; may be repeated); hidden files and what links lead to are not
    #[arg(long, value_name = "GLOB", default_value = "*.txt")]
    pub include: Vec<String>,
    /// Files of a folder that are left out (glob; may be repeated)
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Throw away what an earlier run left in OUT and begin anew
    #[arg(long)]
    pub restart: bool,
    /// Refuse larger inputs (bytes, or with K, M, G); the input then has an error record
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = parse_size)]
    pub max_bytes: u64,
    /// Tokens that the encoder takes at a time; changes speed and memory, never a result
    #[arg(long, value_name = "N", default_value_t = crate::pipeline::document::BATCH_TOKENS as u32, value_parser = clap::value_parser!(u32).range(512..=1_048_576))]
    pub batch_tokens: u32,
    #[command(flatten)]
    pub document: DocumentArgs,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every device and number format is first compared with the CPU in f32 (cosine of the articles' vectors, \
        sectors, summaries); what does not agree is not measured. Then all cases take turns, round after round: a \
        machine that slows down slows all of them down. Shown are medians.\n\n\
        Mixes: short (200 characters an article), article (1,000), long (6,000), made of the example page's sentences; \
        --input reads your own files instead.\n\n\
        Examples:\n  \
        jianbao bench --mix article --dtype f32,int8\n  \
        jianbao bench --device cpu,cuda --batch-tokens 512,2048,8192,32768 --plot speed.svg -o speed.json\n  \
        jianbao bench --input archive/2023 --stage end-to-end --markdown\n  \
        jianbao bench --report speed.json --plot speed.svg"
)]
pub(super) struct BenchArgs {
    /// Texts that are read: short, article, long
    #[arg(
        long,
        value_name = "MIX",
        value_delimiter = ',',
        default_value = "short,article,long",
        conflicts_with = "input"
    )]
    pub mix: Vec<String>,
    /// Your own texts instead: folders, text files, .jsonl[.gz|.zst]
    #[arg(long, value_name = "PATH")]
    pub input: Vec<PathBuf>,
    /// What is timed
    #[arg(long, value_enum, default_value_t = Stages::Both)]
    pub stage: Stages,
    /// Where to compute: auto (the CPU and every GPU there is), cpu, cuda[:N], metal
    #[arg(
        long,
        value_name = "DEVICE",
        value_delimiter = ',',
        default_value = "auto"
    )]
    pub device: Vec<DeviceChoice>,
    /// Number formats: f32, int8 (CPU), f16, bf16 [default: all that the device has]
    #[arg(long, value_name = "DTYPE", value_delimiter = ',')]
    pub dtype: Vec<Precision>,
    /// Tokens that the encoder takes at a time
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1024,4096,16384", value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    pub batch_tokens: Vec<u32>,
    /// Rounds that are counted, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rounds: u16,
    /// Repeat a case in each round for at least so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, value_parser = seconds)]
    pub seconds: f64,
    /// Show an earlier report (of --output) instead of measuring
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "mix", "input", "stage", "device", "dtype", "batch_tokens", "rounds", "seconds", "output", "tokens", "model", "threads",
    ])]
    pub report: Option<PathBuf>,
    /// Write JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
    /// Write Markdown tables
    #[arg(long)]
    pub markdown: bool,
    /// Also write the report as JSON to this file, after every round
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Also draw the encoder's speed against the batch (SVG)
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Also write the articles and their token sequences (JSON Lines), to measure other programs with
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// `news` (embedded), a folder, or hf:OWNER/REPO[@REV]
    #[arg(long, value_name = "MODEL", default_value = "news")]
    pub model: ModelSource,
    /// CPU threads [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// What `bench` times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Stages {
    /// The encoder, then the whole way
    Both,
    /// Token ids → hidden states
    Encoder,
    /// Files → records, as `jianbao batch` does it
    EndToEnd,
}

/// How a batch's results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BatchFormat {
    /// One record a line
    Jsonl,
    /// One row an article, for DuckDB, pandas, Polars, Spark
    Parquet,
}

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Indented, for people
    Json,
    /// One line, for programs
    Jsonl,
}

/// How a document is read and what is wanted of it.
#[derive(Debug, Args)]
pub(super) struct DocumentArgs {
    /// Sentences of each summary
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000), conflicts_with = "max_chars")]
    pub sentences: u16,
    /// Instead: as many sentences as fit into N characters; the shortest one when none does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_chars: Option<u32>,
    /// Keywords of each article, at most; unlikely ones are left out
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub keywords: u16,
    /// Is it a page of several articles, or one article?
    #[arg(long, value_enum, default_value_t = LayoutArg::Auto)]
    pub layout: LayoutArg,
    /// The text's encoding (utf-8, gb18030, big5, utf-16le, …); `auto` finds it
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = parse_encoding)]
    pub encoding: EncodingArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LayoutArg {
    /// A page when two or more headlines with text below are found
    Auto,
    /// Every headline opens an article
    Page,
    /// One article, whatever its headings
    Article,
}

impl From<LayoutArg> for Layout {
    fn from(layout: LayoutArg) -> Self {
        match layout {
            LayoutArg::Auto => Self::Auto,
            LayoutArg::Page => Self::Page,
            LayoutArg::Article => Self::Article,
        }
    }
}

/// `--encoding`: `None` detects.
#[derive(Debug, Clone, Copy)]
pub(super) struct EncodingArg(pub Option<&'static Encoding>);

/// A time that a measurement may take: an hour is more than anybody waits for one case.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|e| format!("{e}"))?;
    if (0.0..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("give 0 to 3600 seconds".to_owned())
    }
}

fn parse_encoding(name: &str) -> Result<EncodingArg, String> {
    if name == "auto" {
        return Ok(EncodingArg(None));
    }
    let encoding = crate::document::decode::encoding_named(name);
    encoding
        .map(|e| EncodingArg(Some(e)))
        .ok_or_else(|| "no such encoding; try utf-8, gb18030, big5 or utf-16le".to_owned())
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.trim_end_matches(['b', 'B', 'i']).to_ascii_uppercase() {
        t if t.ends_with('K') => (t[..t.len() - 1].to_owned(), 1 << 10),
        t if t.ends_with('M') => (t[..t.len() - 1].to_owned(), 1 << 20),
        t if t.ends_with('G') => (t[..t.len() - 1].to_owned(), 1 << 30),
        t => (t, 1),
    };
    let size: u64 = number
        .trim()
        .parse()
        .map_err(|_| "expected a number, perhaps with K, M or G".to_owned())?;
    size.checked_mul(factor)
        .filter(|&size| size > 0)
        .ok_or_else(|| "expected a size from 1 byte up".to_owned())
}

/// Which model, where.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// `news` (embedded), a folder, or hf:OWNER/REPO[@REV]
    #[arg(long, global = true, value_name = "MODEL", default_value = "news")]
    pub model: ModelSource,
    /// Where to compute: auto, cpu, cuda[:N], metal
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Number format of the encoder: auto, int8 (CPU), f32, f16, bf16
    #[arg(long, global = true, value_name = "DTYPE", default_value = "auto")]
    pub dtype: PrecisionChoice,
    /// CPU threads [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Another taxonomy: a TOML file like prompts/sectors.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub sectors: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    pub command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// Models that can be used without a network
    List,
    /// Fetch a model of the Hugging Face Hub into the cache
    #[command(
        after_help = "HF_HOME names the cache, HF_ENDPOINT another server, HF_HUB_OFFLINE=1 forbids the network."
    )]
    Fetch {
        /// hf:OWNER/REPO[@REV]; a commit as REV pins it
        model: ModelSource,
    },
    /// Check a model's files: checksums, then a load
    Verify {
        /// `news`, a folder, or hf:OWNER/REPO[@REV]
        #[arg(default_value = "news")]
        model: ModelSource,
    },
    /// Describe a model
    Info {
        /// `news`, a folder, or hf:OWNER/REPO[@REV]
        #[arg(default_value = "news")]
        model: ModelSource,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    #[command(subcommand)]
    pub task: EvalTask,
    /// Write the figures as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Also write what was predicted, for other scorers (JSON Lines)
    #[arg(long, value_name = "FILE", global = true)]
    pub predictions: Option<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum EvalTask {
    /// Sectors: accuracy, macro-F1, calibration, confusions
    Sectors {
        /// Gold: JSON Lines {"id", "sector", "also"}
        gold: PathBuf,
        /// Articles: JSON Lines {"id", "title", "text"}, perhaps .gz
        #[arg(long, value_name = "FILE")]
        articles: PathBuf,
    },
    /// Summaries and keywords: ROUGE, hit@3, keyword F1
    Extracts {
        /// Gold: JSON Lines {"id", "title", "sentences", "sum", "kw"}; several files are several annotators
        #[arg(required = true)]
        gold: Vec<PathBuf>,
        /// Articles with the paragraphs as printed; without it the gold sentences are joined
        #[arg(long, value_name = "FILE")]
        articles: Option<PathBuf>,
    },
    /// Pages: articles, joins, order, headlines against NAME.gold.json beside NAME.txt
    Pages {
        /// Folder with NAME.txt and NAME.gold.json
        folder: PathBuf,
    },
}
