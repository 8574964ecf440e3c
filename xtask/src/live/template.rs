//! Command lines with names in braces, and the values that go there.

use super::servers::Facts;
use crate::Result;

/// `template` with every `{NAME}` replaced.
pub(crate) fn fill(template: &str, facts: &Facts) -> Result<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("a brace is not closed in `{template}`"))?;
        let value = facts.get(name).ok_or_else(|| format!("nothing is known as {name}"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The arguments of a command line: words are split first and filled then, so that a value stays one argument.
/// The word `{SERVER}` becomes the options in `server`, a word such as `{SHORT_CLIENT}` those that name a client.
pub(crate) fn arguments(command: &str, server: &[&str], facts: &Facts) -> Result<Vec<String>> {
    let mut arguments = Vec::new();
    for word in command.split_whitespace() {
        let client = word.strip_prefix('{').and_then(|rest| rest.strip_suffix("CLIENT}"));
        if word == "{SERVER}" {
            for option in server {
                arguments.push(fill(option, facts)?);
            }
        } else if let Some(prefix) = client {
            arguments.push("--client-id".to_owned());
            arguments.push(fill(&format!("{{{prefix}CLIENT_ID}}"), facts)?);
            arguments.push("--client-secret-file".to_owned());
            arguments.push(fill(&format!("{{{prefix}CLIENT_SECRET_FILE}}"), facts)?);
        } else {
            arguments.push(fill(word, facts)?);
        }
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        [("ID".to_owned(), "a b {x}".to_owned()), ("URL".to_owned(), "http://h".to_owned())].into()
    }

    #[test]
    fn a_value_stays_one_argument_and_is_not_filled_again() {
        let arguments = arguments("token {SERVER} --id {ID}", &["--url", "{URL}/t"], &facts()).unwrap();
        assert_eq!(arguments, ["token", "--url", "http://h/t", "--id", "a b {x}"]);
    }

    #[test]
    fn a_client_is_its_id_and_the_file_of_its_secret() {
        let facts = [("X_CLIENT_ID".to_owned(), "me".to_owned()), ("X_CLIENT_SECRET_FILE".to_owned(), "/s".to_owned())];
        let arguments = arguments("token {X_CLIENT}", &[], &facts.into()).unwrap();
        assert_eq!(arguments, ["token", "--client-id", "me", "--client-secret-file", "/s"]);
    }

    #[test]
    fn unknown_names_and_open_braces_are_errors() {
        assert!(fill("{NONE}", &facts()).unwrap_err().to_string().contains("NONE"));
        assert!(fill("{ID", &facts()).is_err());
    }
}
