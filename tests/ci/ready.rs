//! The ready files of `examples/ci` do what they say: their commands are run as they stand.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{site, text};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/ci")
        .join(name)
}

fn yaml(name: &str) -> Value {
    let text = std::fs::read_to_string(example(name)).expect("readable");
    serde_yaml::from_str(&text).expect("YAML")
}

/// Runs a line of shell with the built `planc` on the path; gives the exit code.
fn shell(folder: &Path, line: &str) -> (String, i32) {
    let built = Path::new(env!("CARGO_BIN_EXE_planc"))
        .parent()
        .expect("a folder");
    let path = format!("{}:/usr/bin:/bin", built.display());
    let mut command = Command::new("sh");
    let command = command
        .args(["-c", line])
        .current_dir(folder)
        .env("PATH", path);
    let output = command
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .expect("runs");
    let code = output.status.code().expect("ended by itself");
    (text(output.stdout) + &text(output.stderr), code)
}

/// A plan without findings at error level.
fn good() -> tempfile::TempDir {
    let folder = site(false);
    let plan = folder.path().join("notes.plan");
    let text = std::fs::read_to_string(&plan).expect("readable");
    let text = text
        .replace("rpo 5min", "rpo 2d")
        .replace("2027-01-01", "2100-01-01");
    std::fs::write(&plan, text).expect("written");
    folder
}

fn planc_lines() -> Vec<String> {
    let workflow = yaml("plans.yml");
    let steps = workflow["jobs"]["plans"]["steps"]
        .as_array()
        .expect("steps");
    let runs = steps.iter().filter_map(|step| step["run"].as_str());
    runs.filter(|run| run.starts_with("planc "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_workflow_passes_a_good_plan_and_fails_a_bad_one() {
    let lines = planc_lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    let folder = good();
    for line in &lines {
        let (shown, code) = shell(folder.path(), line);
        assert_eq!(code, 0, "{line}: {shown}");
    }
    for (folder, bad) in [(site(true), 1), (good(), 0)] {
        let (shown, code) = shell(folder.path(), &lines[1]);
        assert_eq!(code, bad, "{shown}");
        for name in ["planc.sarif", "planc.xml"] {
            assert!(
                folder.path().join(name).exists(),
                "{name} is written either way"
            );
        }
    }
    let loose = site(false);
    let plan = loose.path().join("notes.plan");
    let text = std::fs::read_to_string(&plan).expect("readable");
    std::fs::write(&plan, text.replace("  store", "      store")).expect("written");
    assert_eq!(shell(loose.path(), &lines[0]).1, 1, "the style is checked");
}

#[test]
fn the_workflow_asks_for_no_more_rights_than_it_needs() {
    let workflow = yaml("plans.yml");
    let rights = workflow["permissions"].as_object().expect("rights");
    assert_eq!(rights["contents"], "read");
    assert_eq!(rights.len(), 2, "{rights:?}");
    let text = std::fs::read_to_string(example("plans.yml")).expect("readable");
    let trigger = ["pull_request", "target"].join("_");
    assert!(
        !text.contains(&trigger) && !text.contains("secrets."),
        "{text}"
    );
    assert!(!text.contains("container:"), "{text}");
}

#[test]
fn the_hooks_run_as_they_stand() {
    let config = yaml("pre-commit-config.yaml");
    let hooks = config["repos"][0]["hooks"].as_array().expect("hooks");
    assert_eq!(hooks.len(), 2);
    let run = |folder: &Path| -> Vec<i32> {
        let entries = hooks.iter().map(|hook| {
            let entry = hook["entry"].as_str().expect("a line");
            let names = if hook["pass_filenames"] == false {
                ""
            } else {
                " notes.plan"
            };
            format!("{entry}{names}")
        });
        entries.map(|line| shell(folder, &line).1).collect()
    };
    assert_eq!(run(good().path()), [0, 0]);
    assert_eq!(run(site(true).path()), [0, 1]);
}

/// A `cargo` that only says how it was called.
fn installed(source: &str, rev: &str) -> (String, i32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cargo = folder.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\necho \"$*\"\n").expect("written");
    let chmod = Command::new("chmod")
        .arg("+x")
        .arg(&cargo)
        .status()
        .expect("runs");
    assert!(chmod.success());
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let mut command = Command::new("sh");
    command.arg(example("install.sh")).env("PATH", path);
    command.env("PLANC_SOURCE", source).env("PLANC_REV", rev);
    let output = command.output().expect("runs");
    (
        text(output.stdout),
        output.status.code().expect("ended by itself"),
    )
}

#[test]
fn the_install_line_takes_a_git_address_or_a_folder() {
    let git = installed("https://git.example.org/planc", "abc1");
    let line = "install --locked --git https://git.example.org/planc --rev abc1 planc\n";
    assert_eq!(git, (line.to_owned(), 0));
    let folder = installed(env!("CARGO_MANIFEST_DIR"), "");
    let line = format!("install --locked --path {}\n", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(folder, (line, 0));
    assert_ne!(
        installed("", "").1,
        0,
        "it must be said where planc comes from"
    );
}
