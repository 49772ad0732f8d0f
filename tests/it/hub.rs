//! Fetching from a server with the Hub's layout, on the loopback address.

use crate::support::{fixture, jianbao};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tiny_http::{Header, Response, Server};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Serves the tiny model as `owner/tiny`; counts the requests and keeps their paths.
struct Hub {
    server: Arc<Server>,
    requests: Arc<AtomicUsize>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn start() -> Self {
        Self::start_without("nothing")
    }

    /// One that has trouble with the file of this name.
    fn start_without(failing: &'static str) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a free port"));
        let (requests, paths) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (serving, counting, keeping) = (
            Arc::clone(&server),
            Arc::clone(&requests),
            Arc::clone(&paths),
        );
        std::thread::spawn(move || {
            for request in serving.incoming_requests() {
                counting.fetch_add(1, Ordering::SeqCst);
                keeping.lock().unwrap().push(request.url().to_owned());
                let file = request
                    .url()
                    .rsplit('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                if request.url().ends_with(failing) {
                    let _ = request.respond(Response::empty(500));
                    continue;
                }
                let known = request.url().starts_with("/owner/tiny/resolve/")
                    && !request.url().contains("1_Pooling");
                let Some(body) = Some(file)
                    .filter(|_| known)
                    .and_then(|f| std::fs::read(fixture("tiny").join(f)).ok())
                else {
                    let _ = request.respond(Response::empty(404));
                    continue;
                };
                let header = |name: &str, value: &str| {
                    Header::from_bytes(name, value).expect("a valid header")
                };
                let total = body.len();
                let range = request
                    .headers()
                    .iter()
                    .find(|h| h.field.equiv("Range"))
                    .map(|h| h.value.as_str().to_owned());
                let (start, end) = range
                    .as_deref()
                    .and_then(|r| r.strip_prefix("bytes="))
                    .and_then(|r| r.split_once('-'))
                    .map_or((0, total - 1), |(a, b)| {
                        (
                            a.parse().unwrap_or(0),
                            b.parse().unwrap_or(total - 1).min(total - 1),
                        )
                    });
                let part = body[start..=end].to_vec();
                let response = Response::from_data(part)
                    .with_status_code(if range.is_some() { 206 } else { 200 })
                    .with_header(header("ETag", &format!("\"{total:x}\"")))
                    .with_header(header("X-Repo-Commit", COMMIT))
                    .with_header(header("Accept-Ranges", "bytes"))
                    .with_header(header(
                        "Content-Range",
                        &format!("bytes {start}-{end}/{total}"),
                    ));
                let _ = request.respond(response);
            }
        });
        Self {
            server,
            requests,
            paths,
        }
    }

    fn endpoint(&self) -> String {
        format!(
            "http://{}",
            self.server.server_addr().to_ip().expect("an address")
        )
    }
}

#[test]
fn a_model_is_fetched_once_then_used_offline() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], offline: bool| {
        let mut command = jianbao();
        command
            .env("HF_HOME", home.path())
            .env("HF_ENDPOINT", hub.endpoint())
            .args(arguments);
        if offline {
            command.env("HF_HUB_OFFLINE", "1");
        }
        command
            .write_stdin("今天，东江大桥通车，市民参观。")
            .output()
            .unwrap()
    };
    let fetched = run(&["models", "fetch", "hf:owner/tiny"], false);
    assert!(
        fetched.status.success(),
        "{} {:?}",
        String::from_utf8_lossy(&fetched.stderr),
        hub.paths.lock().unwrap()
    );
    let folder = String::from_utf8(fetched.stdout).unwrap();
    assert!(folder.contains(COMMIT), "{folder}");
    let requests = hub.requests.load(Ordering::SeqCst);
    assert!(requests > 0);
    for model in [
        "hf:owner/tiny".to_owned(),
        format!("hf:owner/tiny@{COMMIT}"),
    ] {
        let used = run(&["summarize", "-", "--model", &model], true);
        assert!(
            used.status.success(),
            "{}",
            String::from_utf8_lossy(&used.stderr)
        );
    }
    assert_eq!(
        hub.requests.load(Ordering::SeqCst),
        requests,
        "no request after the fetch"
    );
    let listed = run(&["models", "list"], true);
    assert!(
        String::from_utf8(listed.stdout)
            .unwrap()
            .contains(&format!("hf:owner/tiny@{COMMIT}"))
    );
}

#[test]
fn what_was_fetched_in_part_is_no_model() {
    let hub = Hub::start_without("1_Pooling/config.json");
    let home = tempfile::tempdir().unwrap();
    let mut fetch = jianbao();
    fetch.env("HF_HOME", home.path());
    fetch.env("HF_ENDPOINT", hub.endpoint());
    let output = fetch.args(["models", "fetch", "hf:owner/tiny"]).output();
    assert_eq!(output.unwrap().status.code(), Some(4));
    let mut used = jianbao();
    used.env("HF_HOME", home.path()).env("HF_HUB_OFFLINE", "1");
    used.args(["summarize", "-", "--model", "hf:owner/tiny"]);
    let output = used.write_stdin("今天。").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_pinned_revision_is_asked_for() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let output = jianbao()
        .env("HF_HOME", home.path())
        .env("HF_ENDPOINT", hub.endpoint())
        .args(["models", "fetch", "hf:owner/tiny@v1.5"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(
        hub.paths
            .lock()
            .unwrap()
            .iter()
            .all(|path| path.contains("/resolve/v1.5/"))
    );
}

#[test]
fn offline_without_the_model_names_the_folder_to_fill() {
    let home = tempfile::tempdir().unwrap();
    let output = jianbao()
        .env("HF_HOME", home.path())
        .env("HF_HUB_OFFLINE", "1")
        .args(["summarize", "-", "--model", "hf:owner/absent"])
        .write_stdin("今天。")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr.contains("HF_HUB_OFFLINE") && stderr.contains("models--owner--absent"),
        "{stderr}"
    );
}

#[test]
fn a_repository_that_is_not_there_is_an_error() {
    let hub = Hub::start();
    let home = tempfile::tempdir().unwrap();
    let output = jianbao()
        .env("HF_HOME", home.path())
        .env("HF_ENDPOINT", hub.endpoint())
        .args(["models", "fetch", "hf:owner/none"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(output.stdout.is_empty());
}
