//! Rules about the text of files, whatever language it is in.

use super::Finding;
use super::repo::Repo;

const MOST_LINES: usize = 600;

/// Files that are longer, and why that is right for each of them.
const LONG: &[(&str, &str)] = &[];

/// Rule: a Rust file is short enough to have one job.
pub(super) fn length(repo: &Repo) -> Vec<Finding> {
    length_except(LONG, repo)
}

fn length_except(long: &[(&str, &str)], repo: &Repo) -> Vec<Finding> {
    let excused = |path: &str| long.iter().any(|(excused, _)| *excused == path);
    let mut findings = Vec::new();
    for (path, text) in repo.matching("", ".rs") {
        let lines = text.lines().count();
        if lines > MOST_LINES && !excused(path) {
            findings.push(Finding::new(path, 0, format!("{lines} lines, {MOST_LINES} are the most")));
        }
    }
    for (path, _) in long {
        if repo.get(path).is_none_or(|text| text.lines().count() <= MOST_LINES) {
            findings.push(Finding::new(path, 0, "needs no excuse for its length any more"));
        }
    }
    findings
}

/// Rule: no tabs, no space at the end of a line, no carriage return, and a line feed at the end of the file.
pub(super) fn whitespace(repo: &Repo) -> Vec<Finding> {
    let kinds = [".rs", ".toml", ".sh", ".md"];
    let mut findings = Vec::new();
    for (path, text) in repo.all().filter(|(path, _)| kinds.iter().any(|kind| path.ends_with(kind))) {
        for (line, number) in text.split('\n').zip(1..) {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(path, number, "space at the end of the line"));
            } else if line.contains('\t') {
                findings.push(Finding::new(path, number, "a tab"));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            findings.push(Finding::new(path, text.lines().count(), "no line feed at the end of the file"));
        }
    }
    findings
}

/// Words that promise work instead of doing it, and leftovers of looking for a fault. Each is written in two halves,
/// so that this list does not find itself.
const UNFINISHED: [&str; 8] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("dbg", "!"),
    concat!("#[ign", "ore"),
];

/// Directories that exist on one machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/fa", "rm/")];

/// Rule: nothing is left unfinished, and nothing points into one machine.
pub(super) fn words(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Lock files are written by tools, and their hashes may spell anything.
    let written = |path: &str| !path.ends_with(".lock") && !path.ends_with("package-lock.json");
    for (path, text) in repo.all().filter(|(path, _)| written(path)) {
        for (line, number) in text.lines().zip(1..) {
            for word in UNFINISHED.iter().filter(|word| stands_alone(line, word)) {
                findings.push(Finding::new(path, number, format!("`{word}`: finish it or take it out")));
            }
            for place in MACHINE_PATHS.iter().filter(|place| is_absolute(line, place)) {
                findings.push(Finding::new(path, number, format!("`{place}` is a place on one machine")));
            }
        }
    }
    findings
}

/// Whether `word` occurs in `line` as a word of its own.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        // What ends in a mark, as a macro does, ends there; an attribute may go on.
        let ends = !word.ends_with(|c: char| c.is_alphabetic()) || word.starts_with('#') || !after.is_some_and(is_word);
        !before.is_some_and(is_word) && ends
    })
}

/// Whether `place` occurs in `line` at the start of a path, and not in the middle of one.
fn is_absolute(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| is_word(c) || ".-}*".contains(c))
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check;

    #[test]
    fn long_files_need_an_excuse() {
        let long = "fn a() {}\n".repeat(601);
        check(length, &[("a.rs", &long), ("b.md", &long)], &["a.rs: 601 lines"]);
        check(length, &[("a.rs", &long[10..])], &[]);
    }

    #[test]
    fn an_excuse_needs_a_long_file() {
        let excuse = |files: &[(&str, &str)]| length_except(&[("a.rs", "a table")], &Repo::of(files)).len();
        assert_eq!(excuse(&[("a.rs", &"\n".repeat(601))]), 0);
        assert_eq!(excuse(&[("a.rs", "\n")]), 1);
        assert_eq!(excuse(&[]), 1);
    }

    #[test]
    fn whitespace_is_clean() {
        check(whitespace, &[("a.rs", "fn a() {}\n    fn b() {}\n")], &[]);
        check(whitespace, &[("a.rs", "a \nb\t\n\tc\nd\r\ne")], &["a.rs:1", "a.rs:2", "a.rs:3", "a.rs:4", "a.rs:5"]);
        check(whitespace, &[("a.bin", "\t"), ("b.rs", "")], &[]);
    }

    #[test]
    fn unfinished_work_is_found() {
        for word in UNFINISHED {
            check(words, &[("a.md", &format!("x\ny {word} z"))], &["a.md:2: "]);
        }
        let ignored = concat!("#[ign", "ore = \"slow\"]");
        check(words, &[("a.rs", ignored)], &["a.rs:1"]);
        let within = concat!("aXX", "Xb ", "TO", "DOS mytodo", "!()");
        check(words, &[("a.rs", within), ("Cargo.lock", UNFINISHED[0])], &[]);
    }

    #[test]
    fn places_on_one_machine_are_found() {
        for place in MACHINE_PATHS {
            check(words, &[("a.sh", &format!("cd {place}main\ncd \"{place}\""))], &["a.sh:1", "a.sh:2"]);
            check(words, &[("a.sh", &format!("cd ./target{place}main https://host{place}x $X{place}"))], &[]);
        }
    }
}
