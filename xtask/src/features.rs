//! `features`: every published crate compiles, without a warning, under the combinations of features people choose.

use crate::cmd::cargo;
use crate::workspace::{self, Published};
use crate::{Result, switches};

pub(crate) const ABOUT: &str = "check each published crate with no, default, all and each single feature";

pub(crate) fn main(arguments: &[String]) -> Result {
    let [] = switches(arguments, [])?;
    run()
}

pub(crate) fn run() -> Result {
    for published in workspace::published()? {
        for combination in combinations(&published) {
            // Clippy and not `check`, because it alone can deny warnings of our crates without compiling all others anew.
            cargo()
                .dir(workspace::root())
                .args(["clippy", "--quiet", "--locked", "-p", published.name.as_str()])
                .args(&combination)
                .args(["--", "-Dwarnings"])
                .run()?;
        }
    }
    Ok(())
}

/// The switches of each combination. A crate without features has only one.
fn combinations(published: &Published) -> Vec<Vec<&str>> {
    let mut all = vec![vec![]];
    if published.features.is_empty() {
        return all;
    }
    all.push(vec!["--no-default-features"]);
    all.push(vec!["--all-features"]);
    all.extend(published.features.iter().map(|feature| vec!["--no-default-features", "--features", feature]));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_stands_alone_once() {
        let published = |features: &[&str]| Published {
            name: "x".into(),
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        };
        assert_eq!(combinations(&published(&[])), [Vec::<&str>::new()]);
        let expected: [&[&str]; 5] = [
            &[],
            &["--no-default-features"],
            &["--all-features"],
            &["--no-default-features", "--features", "serde"],
            &["--no-default-features", "--features", "url"],
        ];
        assert_eq!(combinations(&published(&["serde", "url"])), expected);
    }
}
