//! A slice of `tests/faults/blackbox.py`: the program as anybody runs it, with kills, races, a full disk and flipped bytes.

use std::process::Command;

/// Runs a row with the program that was built; what it says is shown, and a violation fails.
fn judge(row: &str, count: &str) {
    let python = Command::new("python3")
        .args(["tests/faults/blackbox.py", row, "--count", count, "--binary", env!("CARGO_BIN_EXE_warp")])
        .args(["--dir", std::env::temp_dir().to_str().unwrap()])
        .output();
    let Ok(output) = python else {
        return println!("SKIPPED: {row}: there is no python3");
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{}", out.trim());
    assert!(output.status.success(), "{row}: {out}{err}");
}

#[test]
fn kills_at_random_moments_break_nothing_where_this_machine_can_run_python() {
    judge("kill", "12");
}

#[test]
fn writers_collections_and_kills_side_by_side_break_nothing_where_this_machine_can_run_python() {
    judge("race", "5");
}

#[test]
fn a_full_disk_breaks_nothing_where_this_machine_can_mount_one_as_root() {
    judge("fill", "12");
}

#[test]
fn a_flipped_byte_never_gives_wrong_bytes_where_this_machine_can_run_python() {
    judge("flip", "6");
}
