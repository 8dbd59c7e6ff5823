//! `grantfree doctor`.

use grantfree::tensor::{BackendChoice, adapters, choose, compiled};

use super::{Assert, grantfree};
use crate::numerics::devices;

#[test]
#[cfg(target_os = "linux")]
fn interfaces_of_other_systems_are_clear_errors() {
    for choice in [BackendChoice::Metal, BackendChoice::Dx12] {
        let want = choose(choice).unwrap_err().to_string();
        let run = grantfree().args(["doctor", "--backend", choice.name()]).assert().code(1);
        let stderr = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(stderr.ends_with(&format!("error: {want}\n")), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn doctor_finds_every_usable_backend_in_order() {
    let run = grantfree().arg("doctor").assert().success();
    let stdout = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    let result = |name: &str| {
        let row = stdout.lines().find(|l| l.starts_with(&format!("{name}  "))).unwrap_or_else(|| panic!("{stdout}"));
        row.split_whitespace().nth(1).unwrap().to_owned()
    };
    for (name, _) in devices() {
        assert_eq!(result(name), "ok", "{name}\n{stdout}");
    }
    for choice in [BackendChoice::Vulkan, BackendChoice::Metal, BackendChoice::Dx12] {
        let want = if choose(choice).is_ok() { "ok" } else { "unavailable" };
        assert_eq!(result(choice.name()), want, "{stdout}");
    }
    for feature in compiled() {
        let features = stdout.lines().find(|l| l.starts_with("features: ")).unwrap();
        assert!(features.contains(feature), "{features}");
    }
    for adapter in adapters() {
        assert!(stdout.contains(&adapter.name) && stdout.contains(&adapter.driver), "{stdout}");
    }
    assert!(stdout.contains(&choose(BackendChoice::Auto).unwrap().note), "{stdout}");
}
