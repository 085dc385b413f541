// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clients of `/v1` that others wrote: the lines of docs/interfaces.md with curl, Node and Python, and what is made from the description.
//! `scripts/test api` installs and names what the ignored tests need.

use std::path::{Path, PathBuf};
use std::process::Command;

use test_support::broker::installed;
use test_support::{fetched, repository};

use crate::support::{Dashboard, jpeg, until};

/// The address in the page.
const DOCUMENTED: &str = "http://127.0.0.1:8765";
/// The most cases that schemathesis makes at random for an address: more than 2,000 in all.
const CASES_PER_ADDRESS: &str = "150";

/// Runs a program and returns what it prints.
fn run(command: &mut Command) -> String {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(ended.status.success(), "{command:?}\n{said}");
    said
}

/// A server with a source that plays, and a photo and a film in its folder.
fn start(test: &str) -> Dashboard {
    let dashboard = Dashboard::start(test, &["--api-only", "media/clip.avi"]);
    std::fs::write(dashboard.folder.0.join("photo.jpg"), jpeg()).unwrap();
    std::fs::copy(dashboard.folder.0.join("media/clip.avi"), dashboard.folder.0.join("clip.mp4")).unwrap();
    until("a summary", || (dashboard.get("/v1/sources/1/summary").status == 200).then_some(()));
    dashboard
}

/// The examples of the page in a language that send something to the server, and those of jobs, which depend on each other.
fn examples(language: &str) -> (Vec<String>, Vec<String>) {
    let page = std::fs::read_to_string(repository().join("docs/interfaces.md")).unwrap();
    let blocks = page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let blocks = blocks.filter(|(name, text)| *name == language && text.contains(DOCUMENTED));
    blocks.map(|(_, text)| text.to_owned()).partition(|text| !text.contains("/jobs/ID"))
}

/// Runs the examples of a language with `program`, which takes a script after `option`.
fn run_examples(dashboard: &Dashboard, language: &str, program: &str, option: &str) {
    let (examples, _) = examples(language);
    assert!(examples.len() >= 3, "{language}");
    for example in examples {
        // That of a camera does not end.
        let script = example.replace(DOCUMENTED, &format!("http://{}", dashboard.address)).replace("/1/faces", "/1/faces?limit=2");
        let said = run(Command::new(program).args([option, &script]).current_dir(&dashboard.folder.0));
        let expected = if example.contains("PATCH") { "\"aggregate_only\":true" } else { "happiness" };
        assert!(said.contains(expected), "{example}\n{said}");
    }
}

#[test]
fn the_lines_of_the_page_work_with_curl_python_and_node() {
    if !fetched("centerface") {
        return;
    }
    let dashboard = start("v1-lines");
    for (language, program, option) in [("js", "node", "-e"), ("python", "python3", "-c"), ("sh", "sh", "-c")] {
        let needed = if program == "sh" { "curl" } else { program };
        if installed(&[needed]) {
            run_examples(&dashboard, language, program, option);
        }
    }
}

#[test]
fn the_lines_of_the_page_about_a_job_work() {
    if !fetched("centerface") || !installed(&["curl"]) {
        return;
    }
    let (dashboard, (_, jobs)) = (start("v1-job-lines"), examples("sh"));
    let [send, ask, fetch, delete] = jobs[0].lines().collect::<Vec<_>>()[..] else { panic!("{jobs:?}") };
    let line = |line: &str, id: &str| {
        let script = line.replace(DOCUMENTED, &format!("http://{}", dashboard.address)).replace("/ID", &format!("/{id}"));
        run(Command::new("sh").args(["-c", &script]).current_dir(&dashboard.folder.0))
    };
    let sent = line(send, "");
    let location = sent.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_else(|| panic!("{sent}"));
    let id = location.trim().rsplit('/').next().unwrap();
    until("the end of the job", || line(ask, id).contains("\"done\"").then_some(()));
    assert!(line(fetch, id).contains("happiness"));
    line(delete, id);
    assert!(line(ask, id).contains("404"));
}

/// A folder of `scripts/test api`.
fn installed_in(name: &str) -> PathBuf {
    std::env::var_os(name).map(PathBuf::from).unwrap_or_else(|| panic!("{name} is set by scripts/test api"))
}

fn clients() -> PathBuf {
    repository().join("apps/dashboard/tests/clients")
}

#[test]
#[ignore = "needs openapi-python-client: scripts/test api"]
fn a_generated_python_client_works() {
    let (dashboard, python) = (start("v1-python"), installed_in("API_PYTHON"));
    let (address, folder) = (format!("http://{}", dashboard.address), dashboard.folder.0.join("client"));
    // It formats the client with a program that is beside it.
    let path = format!("{}:{}", python.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let description = format!("{address}/v1/openapi.json");
    let mut generate = Command::new(python.with_file_name("openapi-python-client"));
    run(generate.args(["generate", "--url", &description, "--output-path"]).arg(&folder).env("PATH", path));
    let mut client = Command::new(python);
    client.arg(clients().join("client.py")).args([&address, "photo.jpg", "clip.mp4"]).env("PYTHONPATH", &folder);
    run(client.current_dir(&dashboard.folder.0));
}

#[test]
#[ignore = "needs openapi-typescript: scripts/test api"]
fn generated_types_of_typescript_fit_a_client() {
    let (dashboard, modules) = (start("v1-typescript"), installed_in("API_NODE_MODULES"));
    let folder = dashboard.folder.0.join("client");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(clients().join("client.ts"), folder.join("client.ts")).unwrap();
    let node = |program: &str, arguments: &[&str]| {
        let program = Path::new(&modules).join(".bin").join(program);
        run(Command::new(program).args(arguments).current_dir(&folder))
    };
    node("openapi-typescript", &[&format!("http://{}/v1/openapi.json", dashboard.address), "--output", "v1.d.ts"]);
    node("tsc", &["--strict", "--noEmit", "--target", "es2022", "client.ts"]);
}

#[test]
#[ignore = "needs schemathesis: scripts/test api"]
fn no_request_of_schemathesis_is_an_error_of_the_server() {
    let (dashboard, python) = (start("v1-schemathesis"), installed_in("API_PYTHON"));
    let mut command = Command::new(python.with_file_name("schemathesis"));
    command.args(["run", &format!("http://{}/v1/openapi.json", dashboard.address), "--seed", "1"]);
    command.args(["--max-examples", CASES_PER_ADDRESS, "--request-timeout", "60", "--no-color"]);
    // A source is followed without an end, and any bytes fit the schema of a file.
    command.args(["--exclude-path", "/v1/sources/{id}/faces", "--exclude-checks", "positive_data_acceptance"]);
    let said = run(command.current_dir(&dashboard.folder.0));
    let cases = said.split_once(" generated, ").and_then(|(before, _)| before.split_whitespace().last()?.parse::<u32>().ok());
    assert!(cases >= Some(2000), "{said}");
}
