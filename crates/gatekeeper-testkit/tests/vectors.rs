//! The vectors that come with this crate, all of them.

use gatekeeper_testkit::vectors;

#[test]
fn own_vectors_pass() {
    let report = vectors::run(&vectors::own_directory()).expect("readable vectors");
    assert!(report.files.len() >= 8, "{report}");
    assert_eq!(report.failed(), 0, "\n{report}");
}

#[test]
fn a_directory_without_vectors_is_an_error() {
    assert!(vectors::run(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).is_err());
}
