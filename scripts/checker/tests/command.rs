//! How the program ends, and what it prints besides.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// A folder of its own for the files of a test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Runs it there, and gives how it ends and what it prints.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_check-config"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .expect("it runs");
    (done.status.code(), String::from_utf8(done.stdout).expect("text"))
}

#[test]
fn it_ends_with_1_on_an_error_and_on_a_warning_only_if_it_is_told_to() {
    let folder = folder("ends");
    let gateway = fs::read_to_string(here().join("gateway.yaml")).expect("a file");
    for (name, from, to) in [
        ("fine.yaml", "", ""),
        ("warning.yaml", "timeout: 0s", "timeout: 5s"),
        ("error.yaml", "[smart]", "[smat]"),
    ] {
        fs::write(folder.join(name), gateway.replace(from, to)).expect("a file");
    }
    let fine = "fine.yaml is valid\n".to_owned();
    assert_eq!(run(&folder, &["--strict", "fine.yaml"]), (Some(0), fine));
    let (ends, said) = run(&folder, &["warning.yaml"]);
    assert!(ends == Some(0) && said.ends_with("warning.yaml is valid, with 1 warning\n"), "{said}");
    assert_eq!(run(&folder, &["--strict", "warning.yaml"]).0, Some(1));
    let (ends, said) = run(&folder, &["fine.yaml", "error.yaml", "nowhere.yaml"]);
    let told: Vec<_> =
        said.lines().map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(": ")).collect();
    assert_eq!(ends, Some(1));
    assert_eq!(told, ["fine.yaml is valid", "error.yaml:50:42: error", "nowhere.yaml:1:1: error"]);
    assert_eq!(run(&folder, &[]).0, Some(2));
}

#[test]
fn keys_that_the_environment_lacks_are_told_if_it_is_asked() {
    let (ends, said) = run(&here(), &["--environment", "gateway.yaml"]);
    assert_eq!(ends, Some(0));
    assert_eq!(said.matches(" is not set in the plugin's environment").count(), 2, "{said}");
}

#[test]
fn envoy_looks_at_what_has_no_error_and_is_heard() {
    let folder = folder("envoy");
    let gateway = fs::read_to_string(here().join("gateway.yaml")).expect("a file");
    fs::write(folder.join("gateway.yaml"), gateway).expect("a file");
    fs::write(folder.join("filter.wasm"), "").expect("a file");
    let stand_in = here().join("stand-in");
    let stand_in = stand_in.to_str().expect("a path");
    let with = |arguments: &[&str]| {
        let arguments = [&["--envoy", stand_in], arguments, &["gateway.yaml"]].concat();
        let done = Command::new(env!("CARGO_BIN_EXE_check-config"))
            .args(arguments)
            .current_dir(&folder)
            .output()
            .expect("it runs");
        (done.status.code(), String::from_utf8(done.stdout).expect("text"))
    };
    assert_eq!(
        with(&["--wasm", "filter.wasm"]),
        (Some(0), "gateway.yaml is valid, to Envoy too\n".to_owned())
    );
    assert_eq!(
        with(&["--wasm", "other.wasm"]),
        (
            Some(1),
            "gateway.yaml: error: Envoy: error initializing configuration 'gateway.yaml': no filter\n"
                .to_owned()
        )
    );
    let (ends, said) = with(&[]);
    assert_eq!(ends, Some(1));
    assert_eq!(said, "gateway.yaml: error: Envoy: there is no filter at /etc/envoy/modelgate.wasm\n");
}

#[test]
fn the_schema_is_printed() {
    let (ends, said) = run(&here(), &["--schema"]);
    assert_eq!(ends, Some(0));
    assert_eq!(said, check_config::schema::text());
}
